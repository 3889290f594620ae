"""What becomes of the cluster: pure deciders turn requests into metadata records, and the shell writes them."""
