"""Logs of a coordinator's topic in memory, slow or failing as a test wants."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, final

import trio

from ottla.coordinator.log import (
    NO_PRODUCER_ID,
    Appended,
    Intake,
    LoadedRecord,
    LogError,
    LogRecord,
    Marker,
    Opening,
    Producer,
    SentReply,
    refuses_producer,
)
from ottla.errors import ErrorCode


@final
class TrioClock:
    """The clock of the Trio run, which tests make jump."""

    START_MS: Final = 1_700_000_000_000

    def monotonic_ms(self) -> int:
        return round(trio.current_time() * 1000)

    def wall_ms(self) -> int:
        return self.START_MS + self.monotonic_ms()


@final
@dataclass(slots=True)
class MemoryPartition:
    """One partition: what is committed, and what it is told to do."""

    batches: list[list[LogRecord]] = field(default_factory=list)
    sources: dict[int, Producer | Marker] = field(default_factory=dict)
    """Which of them belong to a transaction, or end one; those have no records."""
    openings: list[Opening] = field(default_factory=list)
    """What went with appends, whether those were committed or not."""
    replies: list[SentReply] = field(default_factory=list)
    """Likewise."""
    guards: dict[int, int] = field(default_factory=dict)
    """Of producers that are being verified."""
    pending: list[LoadedRecord] = field(default_factory=list)
    """Records of open transactions, beside those in ``batches``."""
    leader_epoch: int = 0
    append_delay_ms: int = 0
    failures: deque[ErrorCode | None] = field(default_factory=deque)
    """What happens to the next appends; None: it goes well."""
    load_failures: deque[ErrorCode] = field(default_factory=deque)
    written_though_failed: bool = False
    """Appends that fail are in the log all the same."""
    load_chunk_records: int = 2
    load_delay_ms: int = 0
    loads: int = 0
    closed_loads: int = 0
    gate: trio.Event | None = None
    """What appends and loads wait for, beside their time."""
    appends_begun: int = 0

    def compacted(self) -> list[LoadedRecord]:
        """What a load gives."""
        newest: dict[bytes, LoadedRecord] = {}
        undecided: list[LoadedRecord] = []
        offset = 0
        for index, batch in enumerate(self.batches):
            source = self.sources.get(index)
            if isinstance(source, Marker):
                decided = [row for row in undecided if row.producer_id == source.producer_id]
                undecided = [row for row in undecided if row.producer_id != source.producer_id]
                for row in decided if source.is_committed else ():
                    _supersede(newest, row._replace(producer_id=NO_PRODUCER_ID))
                offset += 1
                continue
            for record in batch:
                if source is None:
                    _supersede(newest, LoadedRecord(*record, offset, NO_PRODUCER_ID, -1))
                else:
                    undecided.append(LoadedRecord(*record, offset, source.producer_id, source.producer_epoch))
                offset += 1
        kept = {row.key for row in undecided}
        rows = [row for row in newest.values() if row.value is not None or row.key in kept]
        return sorted(rows + undecided, key=lambda row: row.offset) + self.pending

    def is_open(self, producer_id: int, producer_epoch: int) -> bool:
        """Has the producer written here since its last marker, under this epoch?"""
        last = [source for source in self.sources.values() if source.producer_id == producer_id]
        return bool(last) and isinstance(last[-1], Producer) and last[-1].producer_epoch == producer_epoch


def _supersede(newest: dict[bytes, LoadedRecord], row: LoadedRecord) -> None:
    before = newest.get(row.key)
    if before is None or before.offset < row.offset:
        newest.pop(row.key, None)
        newest[row.key] = row


@final
class MemoryLogs:
    """``CoordinatorLogs``."""

    def __init__(self) -> None:
        self.partitions: dict[tuple[bytes, int], MemoryPartition] = {}

    def partition(self, topic_id: bytes, partition: int) -> MemoryPartition:
        return self.partitions.setdefault((topic_id, partition), MemoryPartition())

    def open(self, topic_id: bytes, partition: int, leader_epoch: int) -> MemoryCoordinatorLog:
        return MemoryCoordinatorLog(self.partition(topic_id, partition), leader_epoch)


@final
class MemoryCoordinatorLog:
    """``CoordinatorLog``."""

    def __init__(self, held: MemoryPartition, leader_epoch: int) -> None:
        self._held = held
        self._leader_epoch = leader_epoch

    def append(
        self,
        records: Sequence[LogRecord],
        timeout_ms: int,
        appended: Appended,
        producer: Producer | None = None,
        openings: Sequence[Opening] = (),
        replies: Sequence[SentReply] = (),
    ) -> None:
        assert records
        held = self._held
        held.openings += openings
        held.replies += replies
        refusal = None
        if producer is not None and not held.is_open(producer.producer_id, producer.producer_epoch):
            guard = held.guards.pop(producer.producer_id, None)
            if guard is None or guard != producer.guard:
                refusal = ErrorCode.INVALID_TXN_STATE
        self._append(records, timeout_ms, appended, producer, refusal)

    def append_marker(self, marker: Marker, timeout_ms: int, appended: Appended) -> None:
        self._held.guards.pop(marker.producer_id, None)
        self._append((), timeout_ms, appended, marker, None)

    def verification(self, producer_id: int, producer_epoch: int, transaction_version: int) -> _Verification:
        held = self._held
        if held.is_open(producer_id, producer_epoch):
            return _Verification(None)
        return _Verification(held.guards.setdefault(producer_id, len(held.guards) + 1))

    def _append(
        self,
        records: Sequence[LogRecord],
        timeout_ms: int,
        appended: Appended,
        source: Producer | Marker | None,
        failure: ErrorCode | None,
    ) -> None:
        held = self._held
        held.appends_begun += 1
        if failure is None and held.failures:
            failure = held.failures.popleft()
        if held.leader_epoch > self._leader_epoch:
            failure = ErrorCode.NOT_LEADER_OR_FOLLOWER
        if failure is None or (held.written_though_failed and not refuses_producer(failure)):
            if source is not None:
                held.sources[len(held.batches)] = source
            held.batches.append(list(records))
        appending = _Appending(held.append_delay_ms, timeout_ms, failure, held.gate)
        trio.lowlevel.spawn_system_task(appending.end, appended)

    def load(self, intake: Intake | None) -> _Loading:
        # Nothing is taken: the machine applies all.
        self._held.loads += 1
        return _Loading(self._held, self._leader_epoch)


@final
@dataclass(slots=True)
class _Verification:
    guard: int | None

    async def wait(self) -> int | None:
        await trio.lowlevel.checkpoint()
        return self.guard


@final
@dataclass(slots=True)
class _Appending:
    delay_ms: int
    timeout_ms: int
    failure: ErrorCode | None
    gate: trio.Event | None

    async def end(self, appended: Appended) -> None:
        await trio.sleep(min(self.delay_ms, self.timeout_ms) / 1000)
        if self.gate is not None:
            await self.gate.wait()
        failure = ErrorCode.REQUEST_TIMED_OUT if self.delay_ms > self.timeout_ms else None
        failure = self.failure or failure
        appended(None if failure is None else LogError(failure))


@final
class _Loading:
    def __init__(self, held: MemoryPartition, leader_epoch: int) -> None:
        self._held = held
        self._leader_epoch = leader_epoch
        self._rows = held.compacted()
        self._closed = False

    async def next(self) -> Sequence[LoadedRecord]:
        await trio.sleep(self._held.load_delay_ms / 1000)
        if self._held.gate is not None:
            await self._held.gate.wait()
        if self._held.leader_epoch > self._leader_epoch:
            raise LogError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        if self._held.load_failures:
            raise LogError(self._held.load_failures.popleft())
        count = self._held.load_chunk_records
        chunk, self._rows = self._rows[:count], self._rows[count:]
        return chunk

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._held.closed_loads += 1
