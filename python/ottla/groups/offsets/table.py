"""Committed offsets as state and as records. Both are of the engine's making: a broker may hold millions.

Prior art: Kafka's ``OffsetMetadataManager``, where each offset is an object in a hash map with snapshots. Ours are
entries of a table in Rust, which the garbage collector never sees, which the data plane fills when a log is read, and
which writes the long part of answers itself. It decides nothing.

Invariant: an offset in the table is what the bytes of its record say, whether they were just emitted or replayed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, final

from ottla._core import OffsetTable, fetched_nothing, offset_key, offset_record
from ottla.coordinator.machine import Record
from ottla.ids import ZERO_TOPIC_ID

__all__ = [
    "NO_EXPIRY",
    "CommittedOffset",
    "OffsetTable",
    "committed",
    "fetched_nothing",
    "offset_record",
    "pending",
    "tombstone",
]

NO_EXPIRY: Final = -1


@final
class CommittedOffset(NamedTuple):
    """How far a group has read a partition."""

    offset: int
    leader_epoch: int = -1
    metadata: str = ""
    commit_timestamp_ms: int = -1
    expire_timestamp_ms: int = NO_EXPIRY
    """When it expires whatever the group does: what OffsetCommit before version 5 could ask for."""
    topic_id: bytes = ZERO_TOPIC_ID
    """Zero when it was not known."""


def committed(table: OffsetTable, group: str) -> Iterator[tuple[str, int, CommittedOffset]]:
    """Everything the group has committed: topic, partition, offset."""
    for topic, partition, row in table.committed(group):
        yield topic, partition, CommittedOffset._make(row)


def pending(table: OffsetTable, group: str) -> list[tuple[str, int]]:
    """The partitions for which a transaction is open."""
    return [(topic, partition) for topic, partition, _ in table.pending(group)]


def tombstone(group: str, topic: str, partition: int) -> Record:
    """The record that deletes an offset, and what is pending for it."""
    return Record(offset_key(group, topic, partition), None)
