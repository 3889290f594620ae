"""Which partition of a coordinator's topic a name belongs to: Kafka's rule, so that a directory can change hands."""

from __future__ import annotations

from ottla._core import java_string_hash

__all__ = ["partition_of"]


def partition_of(name: str, partition_count: int) -> int:
    """Of a group id or a transactional id. The smallest int has no positive twin, and counts as 0 (``Utils.abs``)."""
    value = java_string_hash(name)
    return (0 if value == -(1 << 31) else abs(value)) % partition_count
