"""The metadata quorum at work: the only file of this folder that awaits. It loads, stands for election, appends, and
tells what is committed.

Prior art: Kafka's ``KafkaRaftClient`` and its ``BatchAccumulator``. Ours lets each caller's records be a batch of their
own that is submitted at once; the disk groups the fsyncs, since many appends may be under way.

Invariants: batches are told in order, each once, only when committed; when the log fails, everybody who waits is told
so and nothing is accepted any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, final

import trio

from ottla.clock import Clock
from ottla.raft import control_records as control
from ottla.raft.core import AppendEpochStart, Output, QuorumView, RaftCore, StoreElection
from ottla.raft.log import Batch, LogFailedError, LogRecord, PendingAppend, RaftLog, SnapshotId
from ottla.raft.quorum_state import ElectionState, decode, encode
from ottla.raft.snapshot import BOOTSTRAP_SNAPSHOT, RecordCodec, snapshot_batches
from ottla.raft.voters import Voter, VoterSet

__all__ = ["BATCH_BYTES_MAX", "BatchTooLargeError", "CommittedBatch", "RaftClient", "Retention"]

BATCH_BYTES_MAX: Final = 8 * 1024 * 1024
"""``KafkaRaftClient.MAX_BATCH_SIZE_BYTES``"""
READ_BYTES: Final = 1024 * 1024
_RECORD_OVERHEAD_BYTES: Final = 16


class BatchTooLargeError(Exception):
    """Records that must be atomic do not fit into one batch."""


@final
@dataclass(slots=True, frozen=True)
class CommittedBatch:
    """Records that a majority has. ``records`` is empty for a control batch."""

    base_offset: int
    end_offset: int
    epoch: int
    timestamp_ms: int
    records: Sequence[object]
    size_bytes: int


@final
@dataclass(slots=True, frozen=True)
class Retention:
    """When old snapshots and the log below them go (metadata.max.retention.*)."""

    bytes_max: int = 100 * 1024 * 1024
    """-1: no limit"""
    age_ms_max: int = 7 * 24 * 3_600_000
    """-1: no limit"""


@final
class RaftClient:
    """One node of the metadata quorum."""

    def __init__(
        self, log: RaftLog, local: Voter, codec: RecordCodec, clock: Clock, static_voters: VoterSet | None = None
    ) -> None:
        """``static_voters``: of controller.quorum.voters, when the quorum is not in the log (kraft.version 0)."""
        self._log = log
        self._local = local
        self._codec = codec
        self._clock = clock
        self._quorum = QuorumView(static_voters or VoterSet([]), 0, -1)
        self._core: RaftCore | None = None
        self._outstanding: deque[tuple[PendingAppend, int]] = deque()
        """Appends under way, with their end offsets."""
        self._uncommitted: deque[CommittedBatch] = deque()
        self._submitted = trio.Event()
        self._committed: list[CommittedBatch] = []
        self._news = trio.Event()
        self._waiters: deque[tuple[int, trio.Event]] = deque()
        self._failure: LogFailedError | None = None
        self.bootstrap_records: Sequence[object] = ()
        """What the snapshot 0-0 of a formatted directory holds, for a log that is still empty."""

    # what the quorum is

    @property
    def core(self) -> RaftCore:
        """The state of this node; only after ``start``."""
        assert self._core is not None, "the quorum is not started"
        return self._core

    @property
    def end_offset(self) -> int:
        """Where the next record goes."""
        return self.core.end_offset

    @property
    def high_watermark(self) -> int:
        """Everything below is committed."""
        return self.core.high_watermark

    @property
    def kraft_version(self) -> int:
        return self._quorum.kraft_version

    @property
    def voters(self) -> VoterSet:
        return VoterSet([self._local]) if self._quorum.kraft_version else self._quorum.voters

    # start

    async def start(self, sink: Callable[[CommittedBatch], None]) -> None:
        """Read snapshot and log, giving their records to ``sink`` in order, then stand for election.

        The records of a quorum's only voter are as good as committed; they count once the epoch that now begins is.
        Raises UnsupportedQuorumError, QuorumStateError, LogFailedError, and what ``sink`` raises.
        """
        content = await self._log.read_quorum_state()
        stored = None if content is None else decode(content)
        snapshot = self._log.latest_snapshot
        if snapshot is not None:
            await self._load_snapshot(snapshot, sink)
        offset = max(self._log.start_offset, 0 if snapshot is None else snapshot.end_offset)
        while records := await self._log.read(offset, READ_BYTES):
            for batch in self._batches(records):
                sink(batch)
            offset = records[-1].offset + 1
        self._core = RaftCore(self._local, self._quorum, stored, self._log.end_offset, self._log.last_epoch)
        await self._carry_out(self._core.start())

    async def _load_snapshot(self, snapshot: SnapshotId, sink: Callable[[CommittedBatch], None]) -> None:
        is_bootstrap = snapshot == BOOTSTRAP_SNAPSHOT
        bootstrap: list[object] = []
        offset, timestamp_ms = 0, -1
        while records := await self._log.read_snapshot(snapshot, offset, READ_BYTES):
            data: list[object] = []
            for record in records:
                if not record.control:
                    data.append(self._decode(record))
                elif control.control_type(record.key) is control.ControlType.SNAPSHOT_HEADER:
                    timestamp_ms = control.decode_snapshot_timestamp(record.value or b"")
                else:
                    self._learn(record, -1 if is_bootstrap else snapshot.end_offset - 1)
            if is_bootstrap:
                bootstrap += data
            elif data:
                end = snapshot.end_offset
                sink(CommittedBatch(end - 1, end, snapshot.epoch, timestamp_ms, data, 0))
            offset = records[-1].offset + 1
        self.bootstrap_records = bootstrap

    def _batches(self, records: Iterable[LogRecord]) -> Iterable[CommittedBatch]:
        """What was read, run by run of one epoch, timestamp and kind."""
        run: list[LogRecord] = []
        for record in records:
            if run and (record.epoch, record.timestamp_ms, record.control) != run[-1][1:4]:
                yield self._batch(run)
                run = []
            run.append(record)
        if run:
            yield self._batch(run)

    def _batch(self, run: Sequence[LogRecord]) -> CommittedBatch:
        first = run[0]
        size = sum(len(record.value or b"") for record in run)
        data: list[object] = []
        for record in run:
            if record.control:
                self._learn(record, record.offset)
            else:
                data.append(self._decode(record))
        return CommittedBatch(first.offset, run[-1].offset + 1, first.epoch, first.timestamp_ms, data, size)

    def _decode(self, record: LogRecord) -> object:
        try:
            return self._codec.decode(record.value or b"")
        except ValueError as error:
            raise LogFailedError(f"__cluster_metadata-0: offset {record.offset}: {error}") from error

    def _learn(self, record: LogRecord, offset: int) -> None:
        """Take note of what a control record says of the quorum."""
        kind, value = control.control_type(record.key), record.value or b""
        if kind is control.ControlType.KRAFT_VERSION:
            self._quorum = QuorumView(
                self._quorum.voters, control.decode_kraft_version(value), self._quorum.voters_offset
            )
        elif kind is control.ControlType.KRAFT_VOTERS:
            self._quorum = QuorumView(control.decode_voters(value), self._quorum.kraft_version, offset)

    async def _carry_out(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if isinstance(output, StoreElection):
                await self._store(output.state)
                await self._carry_out(self.core.election_stored(output.state))
            elif isinstance(output, AppendEpochStart):
                self._append_epoch_start(output)
            else:
                self._tell(output.high_watermark)

    async def _store(self, state: ElectionState) -> None:
        content = encode(state, self._quorum.kraft_version, self._quorum.voters.node_ids)
        await self._log.write_quorum_state(content)

    def _append_epoch_start(self, start: AppendEpochStart) -> None:
        records = [control.leader_change(start.leader_id, start.voter_ids, start.granting_ids)]
        if start.voters is not None:
            records += [control.kraft_version(self._quorum.kraft_version), control.voters(start.voters)]
        now_ms = self._clock.wall_ms()
        self._submit(Batch(start.base_offset, start.epoch, now_ms, True, records), ())

    # append

    def append(self, records: Sequence[object], values: Sequence[bytes]) -> int:
        """Append ``records``, encoded as ``values``, as one batch; the offset of the first. Returns at once.

        Raises NotLeaderError, LogFailedError after a failure, BatchTooLargeError; then nothing was appended.
        """
        if self._failure is not None:
            raise self._failure
        if batch_size(values) > BATCH_BYTES_MAX:
            raise BatchTooLargeError(f"{len(values)} records need more than {BATCH_BYTES_MAX} bytes in one batch")
        base_offset = self.core.prepare_append(len(values))
        batch = Batch(base_offset, self.core.epoch, self._clock.wall_ms(), False, [(None, value) for value in values])
        self._submit(batch, records)
        return base_offset

    def _submit(self, batch: Batch, records: Sequence[object]) -> None:
        pending = self._log.append(batch)
        end_offset = batch.base_offset + len(batch.records)
        size = sum(len(value or b"") for _, value in batch.records)
        told = CommittedBatch(batch.base_offset, end_offset, batch.epoch, batch.timestamp_ms, records, size)
        self._outstanding.append((pending, end_offset))
        self._uncommitted.append(told)
        self._submitted.set()

    async def wait_committed(self, offset: int) -> None:
        """Returns when ``offset`` is committed. Raises LogFailedError when it never will be."""
        if self.core.high_watermark <= offset and self._failure is None:
            event = trio.Event()
            self._waiters.append((offset, event))
            await event.wait()
        if self.core.high_watermark <= offset:
            assert self._failure is not None
            raise self._failure

    async def committed(self) -> Sequence[CommittedBatch]:
        """All that was committed since the last call, at least one batch. For one reader. Raises LogFailedError."""
        while not self._committed:
            if self._failure is not None:
                raise self._failure
            self._news = trio.Event()
            await self._news.wait()
        batches, self._committed = self._committed, []
        return batches

    async def run(self) -> None:
        """Follow the appends to their durability, until cancelled. Raises LogFailedError when the log fails."""
        try:
            while True:
                while not self._outstanding:
                    self._submitted = trio.Event()
                    await self._submitted.wait()
                pending, end_offset = self._outstanding.popleft()
                await pending.wait()
                await self._carry_out(self.core.log_durable(end_offset))
        except LogFailedError as error:
            self._fail(error)
            raise

    def _tell(self, high_watermark: int) -> None:
        while self._uncommitted and self._uncommitted[0].end_offset <= high_watermark:
            self._committed.append(self._uncommitted.popleft())
        self._news.set()
        still: deque[tuple[int, trio.Event]] = deque()
        for offset, event in self._waiters:
            if offset < high_watermark:
                event.set()
            else:
                still.append((offset, event))
        self._waiters = still

    def _fail(self, error: LogFailedError) -> None:
        self._failure = error
        self.core.resign()
        for _, event in self._waiters:
            event.set()
        self._waiters.clear()
        self._news.set()

    # snapshots

    async def write_snapshot(
        self, snapshot_id: SnapshotId, last_timestamp_ms: int, values: Iterable[Sequence[bytes]]
    ) -> None:
        """Write a snapshot: header and quorum, then ``values``, a batch each (lazily), then the footer."""
        now_ms = self._clock.wall_ms()
        quorum = (self.kraft_version, self.voters) if self.kraft_version else None
        batches = snapshot_batches(snapshot_id, now_ms, last_timestamp_ms, quorum, values)
        await self._log.write_snapshot(snapshot_id, batches)

    async def clean(self, retention: Retention) -> None:
        """Delete snapshots that are too old or too many, never the newest, and the log below the oldest that stays."""
        snapshots = list(await self._log.snapshots())
        total = self._log.size_bytes + sum(snapshot.size_bytes for snapshot in snapshots)
        kept = 0
        while kept < len(snapshots) - 1:
            too_large = 0 <= retention.bytes_max < total
            if not too_large and not await self._is_old(snapshots[kept].id, retention.age_ms_max):
                break
            total -= snapshots[kept].size_bytes
            kept += 1
        if kept:
            oldest = snapshots[kept].id
            if oldest.end_offset > self._log.start_offset:
                await self._log.truncate_prefix(oldest.end_offset)
            await self._log.delete_snapshots_before(oldest)

    async def _is_old(self, snapshot_id: SnapshotId, age_ms_max: int) -> bool:
        if age_ms_max < 0:
            return False
        records = await self._log.read_snapshot(snapshot_id, 0, 1)
        if not records or control.control_type(records[0].key) is not control.ControlType.SNAPSHOT_HEADER:
            return True
        timestamp_ms = control.decode_snapshot_timestamp(records[0].value or b"")
        return self._clock.wall_ms() - timestamp_ms > age_ms_max


def batch_size(values: Iterable[bytes]) -> int:
    """At most how many bytes a batch of these values takes."""
    return sum(len(value) + _RECORD_OVERHEAD_BYTES for value in values)
