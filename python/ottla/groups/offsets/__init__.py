"""What groups have committed: the offsets of one partition of ``__consumer_offsets``."""
