"""The metadata log on the engine.

Every call is a command of its own; what is known without asking, such as the end offset, is kept here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import final

from ottla.dataplane.plane import ClosedError, CommandFailedError, Plane, Result
from ottla.raft.log import Batch, LogFailedError, LogRecord, SnapshotFile, SnapshotId, SnapshotNotFoundError

__all__ = ["PlaneLog"]


@final
@dataclass(slots=True)
class _Append:
    """A batch under way to the metadata log."""

    wait_for: Callable[[], Awaitable[Result]]
    log: PlaneLog

    async def wait(self) -> None:
        try:
            self.log.durable(await self.wait_for())
        except (CommandFailedError, ClosedError) as error:
            raise LogFailedError(str(error)) from error


@final
@dataclass(slots=True)
class PlaneLog:
    """The metadata log on the engine (``RaftLog`` of ``ottla.raft.log``). ``open`` comes first."""

    _plane: Plane
    _start_offset: int = field(default=0, init=False)
    _end_offset: int = field(default=0, init=False)
    _last_epoch: int = field(default=0, init=False)
    _size_bytes: int = field(default=0, init=False)
    _latest_snapshot: SnapshotId | None = field(default=None, init=False)

    async def open(self) -> None:
        """Opens and recovers the log. Raises ``CommandFailedError`` that names file and byte when it is damaged."""
        start, end, epoch, size, snapshots = await self._command(self._plane.engine.metadata_open)
        self._start_offset, self._end_offset, self._last_epoch, self._size_bytes = start, end, epoch, size
        if snapshots:
            self._latest_snapshot = SnapshotId(*snapshots[-1][:2])
            if end <= self._latest_snapshot.end_offset:
                self._last_epoch = max(epoch, self._latest_snapshot.epoch)

    @property
    def start_offset(self) -> int:
        return self._start_offset

    @property
    def end_offset(self) -> int:
        return self._end_offset

    @property
    def last_epoch(self) -> int:
        return self._last_epoch

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    @property
    def latest_snapshot(self) -> SnapshotId | None:
        return self._latest_snapshot

    def append(self, batch: Batch) -> _Append:
        assert batch.base_offset == self._end_offset, (
            f"append at {batch.base_offset}, the log ends at {self._end_offset}"
        )
        assert batch.epoch >= self._last_epoch
        assert batch.records
        records = list(batch.records)
        wait = self._plane.submit(
            lambda ticket: self._plane.engine.metadata_append(
                ticket, batch.base_offset, batch.epoch, batch.timestamp_ms, batch.control, records
            )
        )
        self._end_offset += len(records)
        self._last_epoch = batch.epoch
        return _Append(wait, self)

    def durable(self, size_bytes: int) -> None:
        """An append is durable; the segments have this size now."""
        self._size_bytes = size_bytes

    async def read(self, from_offset: int, bytes_max: int) -> Sequence[LogRecord]:
        if not self._start_offset <= from_offset <= self._end_offset:
            raise ValueError(f"offset {from_offset} is not in [{self._start_offset}, {self._end_offset}]")
        rows = await self._command(lambda ticket: self._plane.engine.metadata_read(ticket, from_offset, bytes_max))
        return [LogRecord(*row) for row in rows]

    async def truncate_prefix(self, new_start_offset: int) -> None:
        self._size_bytes = await self._command(
            lambda ticket: self._plane.engine.metadata_truncate_prefix(ticket, new_start_offset)
        )
        self._start_offset = max(self._start_offset, new_start_offset)
        self._end_offset = max(self._end_offset, new_start_offset)

    async def write_snapshot(self, snapshot_id: SnapshotId, batches: Iterable[Batch]) -> None:
        rows = [
            (batch.base_offset, batch.epoch, batch.timestamp_ms, batch.control, list(batch.records))
            for batch in batches
        ]
        await self._command(lambda ticket: self._plane.engine.snapshot_write(ticket, *snapshot_id, rows))
        if self._latest_snapshot is None or snapshot_id > self._latest_snapshot:
            self._latest_snapshot = snapshot_id

    async def read_snapshot(self, snapshot_id: SnapshotId, from_offset: int, bytes_max: int) -> Sequence[LogRecord]:
        if all(snapshot_id != known.id for known in await self.snapshots()):
            raise SnapshotNotFoundError(snapshot_id.file_name)
        rows = await self._command(
            lambda ticket: self._plane.engine.snapshot_read(ticket, *snapshot_id, from_offset, bytes_max)
        )
        return [LogRecord(*row) for row in rows]

    async def snapshots(self) -> Sequence[SnapshotFile]:
        rows = await self._command(self._plane.engine.snapshots)
        return [SnapshotFile(SnapshotId(offset, epoch), size) for offset, epoch, size in rows]

    async def delete_snapshots_before(self, snapshot_id: SnapshotId) -> None:
        await self._command(lambda ticket: self._plane.engine.snapshots_delete_before(ticket, *snapshot_id))

    async def read_quorum_state(self) -> bytes | None:
        content: bytes | None = await self._command(self._plane.engine.quorum_state_read)
        return content

    async def write_quorum_state(self, content: bytes) -> None:
        await self._command(lambda ticket: self._plane.engine.quorum_state_write(ticket, content))

    async def _command(self, send: Callable[[int], None]) -> Result:
        try:
            return await self._plane.submit(send)()
        except ClosedError as error:
            raise LogFailedError(str(error)) from error
