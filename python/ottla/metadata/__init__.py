"""What the cluster is: image, delta, loader and publishers of the metadata log."""
