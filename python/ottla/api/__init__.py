"""One file per API that Python answers, and the table of all that the broker speaks."""
