"""Small programs that show what Ottla is good for; each runs with one command."""
