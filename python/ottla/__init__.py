"""Ottla: the Kafka you can import."""

__version__ = "0.1.0"
