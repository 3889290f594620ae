"""Which partition of a coordinator's topic a name belongs to: Kafka's rule, so that a directory can change hands."""

from __future__ import annotations

__all__ = ["java_string_hash", "partition_of"]


def java_string_hash(text: str) -> int:
    """``String.hashCode``: over UTF-16 code units, in 32 bits with sign."""
    units = text.encode("utf-16-be", "surrogatepass")
    value = 0
    for index in range(0, len(units), 2):
        value = (31 * value + (units[index] << 8) + units[index + 1]) & 0xFFFF_FFFF
    return value - (1 << 32) if value >= 1 << 31 else value


def partition_of(name: str, partition_count: int) -> int:
    """Of a group id or a transactional id. The smallest int has no positive twin, and counts as 0 (``Utils.abs``)."""
    value = java_string_hash(name)
    return (0 if value == -(1 << 31) else abs(value)) % partition_count
