"""What the compatibility tests share: the face every client shows to the scenarios, and the matrix of results."""
