"""What becomes of the cluster: pure deciders that turn requests into metadata records, and the shell that writes them."""
