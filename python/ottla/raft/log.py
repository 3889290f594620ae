"""The seam between the metadata quorum and the disk: one log, its snapshots, and the quorum-state file.

Prior art: Kafka's ``ReplicatedLog``/``KafkaRaftLog``. Ours differs in that an append is submitted at once, in order,
and only its durability is awaited: the raft core knows base offset and epoch beforehand, several appends are under way,
and the loop never blocks. The implementation turns (key, value) pairs into a record batch (magic 2, uncompressed) and
fsyncs before an append completes.

Invariants an implementation keeps:
- appends become durable in the order of submission; after the first failure all later ones fail too;
- an append whose base offset is not the end of the log is a programmer's error, not a disk error;
- ``start_offset <= end_offset``; ``end_offset`` counts submitted appends, durable or not;
- a full disk is not a failed one: what is under way waits until there is room again, and then goes on;
- a snapshot is visible under its id only when whole and durable; quorum-state is replaced atomically and durably.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, final

__all__ = [
    "Batch",
    "LogFailedError",
    "LogRecord",
    "PendingAppend",
    "RaftLog",
    "SnapshotFile",
    "SnapshotId",
    "SnapshotNotFoundError",
]


class SnapshotId(NamedTuple):
    """Names a snapshot: it covers the records below ``end_offset``, of which the last has ``epoch``. Ordered as Kafka
    orders them."""

    end_offset: int
    epoch: int

    @property
    def file_name(self) -> str:
        """``<end offset, 20 digits>-<epoch, 10 digits>.checkpoint``"""
        return f"{self.end_offset:020d}-{self.epoch:010d}.checkpoint"


class SnapshotFile(NamedTuple):
    """A snapshot on disk."""

    id: SnapshotId
    size_bytes: int


class LogRecord(NamedTuple):
    """One record as read back from the log or from a snapshot."""

    offset: int
    epoch: int
    timestamp_ms: int
    control: bool
    """From a control batch: ``key`` is int16 version 0 and int16 type."""
    key: bytes | None
    value: bytes | None


@final
@dataclass(slots=True, frozen=True)
class Batch:
    """What becomes one record batch: every record with the same timestamp, no producer, no compression."""

    base_offset: int
    epoch: int
    timestamp_ms: int
    control: bool
    records: Sequence[tuple[bytes | None, bytes | None]]
    """(key, value) of each; never empty."""


class LogFailedError(Exception):
    """The disk refused; nothing after the last durable offset may be relied on. The message names file and cause."""


class SnapshotNotFoundError(Exception):
    """There is no snapshot of that id."""


class PendingAppend(Protocol):
    """An append under way."""

    async def wait(self) -> None:
        """Returns when the batch, and all before it, survive a power loss; raises LogFailedError if they will not."""


class RaftLog(Protocol):
    """``__cluster_metadata-0``. One owner; methods without ``async`` return at once and never touch the disk."""

    @property
    def start_offset(self) -> int:
        """The first offset that can be read."""

    @property
    def end_offset(self) -> int:
        """One past the last record."""

    @property
    def last_epoch(self) -> int:
        """Epoch of the last record; that of the newest snapshot when the log is empty; else 0."""

    @property
    def size_bytes(self) -> int:
        """Of all segments, without snapshots and indexes."""

    @property
    def latest_snapshot(self) -> SnapshotId | None:
        """The snapshot with the greatest id; the bootstrap snapshot 0-0 counts."""

    def append(self, batch: Batch) -> PendingAppend:
        """Put a batch at the end. ``batch.base_offset`` must be ``end_offset``, ``batch.epoch`` at least
        ``last_epoch``."""

    async def read(self, from_offset: int, bytes_max: int) -> Sequence[LogRecord]:
        """Records from ``from_offset`` on (not those before it in the same batch), of at least one batch and about
        ``bytes_max`` bytes; empty at the end of the log. Raises ValueError outside [start_offset, end_offset]."""

    async def truncate_prefix(self, new_start_offset: int) -> None:
        """Raise the log start to ``new_start_offset`` and delete the segments wholly below it. Above the end (after a
        snapshot from outside) the log becomes empty and starts there."""

    async def write_snapshot(self, snapshot_id: SnapshotId, batches: Iterable[Batch]) -> None:
        """Write ``batches`` in order as the snapshot's whole content (``.part``, fsync, rename, fsync the directory).
        The iterable may be lazy and is consumed at the pace of the disk. Writing an id that exists changes nothing."""

    async def read_snapshot(self, snapshot_id: SnapshotId, from_offset: int, bytes_max: int) -> Sequence[LogRecord]:
        """As ``read``, inside the snapshot; offsets count from 0 inside the file. SnapshotNotFoundError if there is
        none."""

    async def snapshots(self) -> Sequence[SnapshotFile]:
        """All snapshots, ascending."""

    async def delete_snapshots_before(self, snapshot_id: SnapshotId) -> None:
        """Delete the snapshots with an id less than this one."""

    async def read_quorum_state(self) -> bytes | None:
        """Content of ``quorum-state``; None when there is no such file."""

    async def write_quorum_state(self, content: bytes) -> None:
        """Replace ``quorum-state``; durable when it returns."""
