"""A raft log in memory.

It keeps the promises of ``RaftLog``, and can break the ones a disk may break: with ``hold`` appends wait for ``sync``,
``crash`` loses what was not synced, ``fail`` makes the disk refuse from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import final

import trio

from ottla.raft.log import Batch, LogFailedError, LogRecord, SnapshotFile, SnapshotId, SnapshotNotFoundError

__all__ = ["MemoryLog"]

_BATCH_OVERHEAD_BYTES = 61
_RECORD_OVERHEAD_BYTES = 8


@final
class _Append:
    __slots__ = ("_done", "_log", "end_offset")

    def __init__(self, log: MemoryLog, end_offset: int) -> None:
        self._log = log
        self._done = trio.Event()
        self.end_offset = end_offset

    async def wait(self) -> None:
        await self._done.wait()
        if self._log.failure is not None and self.end_offset > self._log.durable_end_offset:
            raise LogFailedError(self._log.failure)

    def finish(self) -> None:
        self._done.set()


@final
class MemoryLog:
    """See ``RaftLog``."""

    def __init__(self, *, hold: bool = False) -> None:
        self.hold = hold
        self.durable_end_offset = 0
        self.failure: str | None = None
        self.quorum_state: bytes | None = None
        self.quorum_states: list[bytes] = []
        """Every content ever written, for tests."""
        self.batches: list[Batch] = []
        self._start_offset = 0
        self._snapshots: dict[SnapshotId, tuple[Batch, ...]] = {}
        self._waiting: list[_Append] = []

    @property
    def start_offset(self) -> int:
        return self._start_offset

    @property
    def end_offset(self) -> int:
        return _end(self.batches[-1]) if self.batches else self._start_offset

    @property
    def last_epoch(self) -> int:
        if self.batches:
            return self.batches[-1].epoch
        latest = self.latest_snapshot
        return 0 if latest is None else latest.epoch

    @property
    def size_bytes(self) -> int:
        return sum(map(_size, self.batches))

    @property
    def latest_snapshot(self) -> SnapshotId | None:
        return max(self._snapshots, default=None)

    def append(self, batch: Batch) -> _Append:
        assert batch.records
        assert batch.base_offset == self.end_offset, f"append at {batch.base_offset}, the log ends at {self.end_offset}"
        assert batch.epoch >= self.last_epoch
        self.batches.append(batch)
        pending = _Append(self, _end(batch))
        self._waiting.append(pending)
        if not self.hold:
            self.sync()
        return pending

    def sync(self) -> None:
        """Everything appended so far is durable, or has failed."""
        waiting, self._waiting = self._waiting, []
        if self.failure is None:
            self.durable_end_offset = self.end_offset
        for pending in waiting:
            pending.finish()

    def fail(self, message: str = "__cluster_metadata-0: no space left on device") -> None:
        """The disk refuses from now on."""
        self.failure = message
        self.sync()

    def crash(self) -> MemoryLog:
        """What a new process finds: durable batches, snapshots and quorum-state."""
        after = MemoryLog(hold=self.hold)
        after.batches = [batch for batch in self.batches if _end(batch) <= self.durable_end_offset]
        after.durable_end_offset = self.durable_end_offset
        after.quorum_state = self.quorum_state
        after._start_offset = self._start_offset
        after._snapshots = dict(self._snapshots)
        return after

    async def read(self, from_offset: int, bytes_max: int) -> Sequence[LogRecord]:
        await trio.lowlevel.checkpoint()
        if not self._start_offset <= from_offset <= self.end_offset:
            raise ValueError(f"offset {from_offset} is outside [{self._start_offset}, {self.end_offset}]")
        return _read(self.batches, from_offset, bytes_max)

    async def truncate_prefix(self, new_start_offset: int) -> None:
        await trio.lowlevel.checkpoint()
        self.batches = [batch for batch in self.batches if _end(batch) > new_start_offset]
        self._start_offset = max(self._start_offset, new_start_offset)
        self.durable_end_offset = max(self.durable_end_offset, new_start_offset)

    async def write_snapshot(self, snapshot_id: SnapshotId, batches: Iterable[Batch]) -> None:
        kept = []
        for batch in batches:
            await trio.lowlevel.checkpoint()
            kept.append(batch)
        if self.failure is not None:
            raise LogFailedError(self.failure)
        self._snapshots.setdefault(snapshot_id, tuple(kept))

    async def read_snapshot(self, snapshot_id: SnapshotId, from_offset: int, bytes_max: int) -> Sequence[LogRecord]:
        await trio.lowlevel.checkpoint()
        if snapshot_id not in self._snapshots:
            raise SnapshotNotFoundError(snapshot_id.file_name)
        return _read(self._snapshots[snapshot_id], from_offset, bytes_max)

    async def snapshots(self) -> Sequence[SnapshotFile]:
        await trio.lowlevel.checkpoint()
        return [SnapshotFile(name, sum(map(_size, batches))) for name, batches in sorted(self._snapshots.items())]

    async def delete_snapshots_before(self, snapshot_id: SnapshotId) -> None:
        await trio.lowlevel.checkpoint()
        self._snapshots = {name: batches for name, batches in self._snapshots.items() if name >= snapshot_id}

    async def read_quorum_state(self) -> bytes | None:
        await trio.lowlevel.checkpoint()
        return self.quorum_state

    async def write_quorum_state(self, content: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            raise LogFailedError(self.failure)
        self.quorum_state = content
        self.quorum_states.append(content)


def _end(batch: Batch) -> int:
    return batch.base_offset + len(batch.records)


def _size(batch: Batch) -> int:
    return _BATCH_OVERHEAD_BYTES + sum(
        _RECORD_OVERHEAD_BYTES + len(key or b"") + len(value or b"") for key, value in batch.records
    )


def _read(batches: Iterable[Batch], from_offset: int, bytes_max: int) -> list[LogRecord]:
    records: list[LogRecord] = []
    size = 0
    for batch in batches:
        if _end(batch) <= from_offset:
            continue
        if records and size + _size(batch) > bytes_max:
            break
        size += _size(batch)
        for offset, (key, value) in enumerate(batch.records, batch.base_offset):
            if offset >= from_offset:
                records.append(LogRecord(offset, batch.epoch, batch.timestamp_ms, batch.control, key, value))
    return records
