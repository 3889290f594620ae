"""Every configuration key of Kafka 4.4, as rows of data: one module per subject, one line and one sentence per key."""
