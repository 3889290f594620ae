"""One partition of a coordinator: its machine, what is to be written, and the answers that wait for it.

Prior art: Kafka's ``CoordinatorRuntime.CoordinatorContext``. Kafka keeps snapshots of its state, to take back what was
not written; ours gives the state up and reads it again, since an append fails only with the leadership or the disk.

What belongs to a transaction, and the marker that ends one, is a batch of its own, which the log may refuse for the
sake of its producer. So it changes the machine only once it is committed; and then what was emitted after it, and
applied before it, is handed over to be applied again, so that the state is that of the log's order.

Invariants: an operation is written in one batch, unless it says that its parts stand for themselves; one batch is under
way at a time, so that a batch never follows one that failed; an answer leaves when the batch that was newest at its
time is committed, after all answers before it.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar, cast, final

from ottla.coordinator.log import (
    BATCH_OVERHEAD_BYTES,
    RECORD_OVERHEAD_BYTES_MAX,
    LogRecord,
    Marker,
    Opening,
    Producer,
    SentReply,
)
from ottla.coordinator.machine import Answer, CoordinatorError, Machine, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.wire.codec import WireError

__all__ = ["ANSWERS_PER_PASS", "Batch", "InTransaction", "RecordCodec", "Shard", "State", "client_error"]

M = TypeVar("M", bound=Machine)
T = TypeVar("T")

ANSWERS_PER_PASS: Final = 32
"""Some 3 ms of encoding."""

_CLIENT_ERRORS: Final = {
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.REQUEST_TIMED_OUT: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_LEADER_OR_FOLLOWER: ErrorCode.NOT_COORDINATOR,
    ErrorCode.KAFKA_STORAGE_ERROR: ErrorCode.NOT_COORDINATOR,
    ErrorCode.NETWORK_EXCEPTION: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.MESSAGE_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
    ErrorCode.RECORD_LIST_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
    ErrorCode.INVALID_FETCH_SIZE: ErrorCode.UNKNOWN_SERVER_ERROR,
}


def client_error(code: ErrorCode) -> ErrorCode:
    """What clients are told when the log answered with ``code`` (``CoordinatorOperationExceptionHelper``)."""
    return _CLIENT_ERRORS.get(code, code)


class RecordCodec(Protocol):
    """How the records of a machine lie in the log."""

    def encode(self, record: Record) -> tuple[bytes, bytes | None]:
        """Key and value. Raises WireError for a record that has no bytes."""

    def decode(self, key: bytes, value: bytes | None) -> Record:
        """The record. Raises UnknownRecordError for a type that this release does not know, WireError for bytes that
        are no record."""


class State(enum.Enum):
    """Kafka's ``CoordinatorState``."""

    INITIAL = "initial"
    LOADING = "loading"
    ACTIVE = "active"
    FAILED = "failed"
    CLOSED = "closed"


class InTransaction(NamedTuple):
    """What a batch is to a transaction."""

    source: Producer | Marker
    reply: Reply[Any]
    """Of the one request that it is written for."""
    then: Callable[[Sequence[Record]], None]
    """Changes the machine, once it is committed; is given what was emitted after it."""


@final
class Batch:
    """Records that are written together, and the answers that wait for them."""

    __slots__ = ("answers", "emitted", "openings", "records", "sent", "size_bytes", "transaction")

    def __init__(self, transaction: InTransaction | None = None) -> None:
        self.records: list[LogRecord] = []
        self.size_bytes = BATCH_OVERHEAD_BYTES
        self.answers: list[Callable[[], None]] = []
        self.openings: list[Opening] = []
        self.sent = False
        self.transaction: Final = transaction
        self.emitted: list[Record] = []
        """The same records, while a batch of a transaction is before this one."""

    @property
    def is_awaited(self) -> bool:
        """Does somebody wait for it to be committed?"""
        return bool(self.answers) or self.transaction is not None

    def sent_replies(self) -> list[SentReply]:
        """Responses that go out with it, of a few answers that wait for it: the way through this thread is the longer.
        Many are made some at a time, once it is committed."""
        if len(self.answers) > ANSWERS_PER_PASS:
            return []
        replies = (answer.send_ahead() for answer in self.answers if isinstance(answer, Answer))
        return [reply for reply in replies if reply is not None]


class _Unit(NamedTuple):
    """Records that must not be parted."""

    records: list[LogRecord]
    size_bytes: int


@final
class _Writer:
    """Encodes what one operation emits, before it is applied."""

    __slots__ = ("_atomic", "_codec", "_limit_bytes", "_timestamp_ms", "units")

    def __init__(self, codec: RecordCodec, timestamp_ms: int, limit_bytes: int, *, atomic: bool) -> None:
        self._codec = codec
        self._timestamp_ms = timestamp_ms
        self._limit_bytes = limit_bytes - BATCH_OVERHEAD_BYTES
        self._atomic = atomic
        self.units: list[_Unit] = []

    def check(self, records: Sequence[Record], *, whole: bool = False) -> None:
        """``Outbox``'s check: raises CoordinatorError when these cannot be written; ``whole``: together."""
        encoded: list[LogRecord] = []
        sizes: list[int] = []
        for record in records:
            try:
                made = type(record.key) is bytes
                key, value = cast("tuple[bytes, bytes | None]", record) if made else self._codec.encode(record)
            except WireError as error:
                raise CoordinatorError(ErrorCode.UNKNOWN_SERVER_ERROR, str(error)) from error
            encoded.append(LogRecord(key, value, self._timestamp_ms))
            sizes.append(RECORD_OVERHEAD_BYTES_MAX + len(key) + (0 if value is None else len(value)))
        size_bytes = sum(sizes)
        if self._atomic:
            before = self.units[0] if self.units else _Unit([], 0)
            self._require(before.size_bytes + size_bytes)
            self.units[:] = [_Unit(before.records + encoded, before.size_bytes + size_bytes)]
        elif whole or size_bytes <= self._limit_bytes:
            self._require(size_bytes)
            self.units.append(_Unit(encoded, size_bytes))
        else:
            self._require(max(sizes))
            self.units += (_Unit([record], size) for record, size in zip(encoded, sizes, strict=True))

    def check_whole(self, records: Sequence[Record]) -> None:
        """The same for records that must be in one batch."""
        self.check(records, whole=True)

    def _require(self, size_bytes: int) -> None:
        if size_bytes > self._limit_bytes:
            # MESSAGE_TOO_LARGE of the log, as clients are told.
            raise CoordinatorError(
                ErrorCode.UNKNOWN_SERVER_ERROR,
                f"{size_bytes} bytes of records are more than max.message.bytes of the coordinator's topic "
                f"({self._limit_bytes + BATCH_OVERHEAD_BYTES}) allows in a batch",
            )


@final
class Shard(Generic[M]):
    """The partition. One thread; nothing here waits. ``wake`` is called when there is something to write, ``give`` with
    the answers that may leave: each is a call that settles one reply."""

    __slots__ = (
        "_batches",
        "_codec",
        "_give",
        "_undecided",
        "_wake",
        "deadline_ms",
        "leader_epoch",
        "machine",
        "owed",
        "partition",
        "state",
    )

    def __init__(
        self,
        partition: int,
        leader_epoch: int,
        codec: RecordCodec,
        wake: Callable[[], None],
        give: Callable[[Sequence[Callable[[], None]]], None],
    ) -> None:
        self.partition: Final = partition
        self.leader_epoch: Final = leader_epoch
        self.state = State.INITIAL
        self.machine: M | None = None
        """Only while ACTIVE."""
        self.deadline_ms: int | None = None
        """When the machine has something to do by itself, as of ``look_ahead``."""
        self.owed: dict[Reply[Any], None] = {}
        """Every request that is inside and has no answer, in order of arrival."""
        self._codec = codec
        self._wake = wake
        self._give = give
        self._batches: deque[Batch] = deque()
        self._undecided = 0
        """Batches of transactions among them."""

    def require_active(self) -> M:
        """The machine. Raises CoordinatorError: COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR."""
        if self.machine is None:
            loading = self.state is State.LOADING
            raise CoordinatorError(
                ErrorCode.COORDINATOR_LOAD_IN_PROGRESS if loading else ErrorCode.NOT_COORDINATOR,
                f"partition {self.partition} of the coordinator's topic is {self.state.value} here",
            )
        return self.machine

    # --- operations -------------------------------------------------------------------------------------------------

    def perform(
        self, now: Now, operation: Callable[[M, Outbox], None], batch_bytes_max: int, *, atomic: bool = True
    ) -> None:
        """Runs an operation: what it emits is applied, and will be written; what it answers waits for that. Raises what
        the operation raises; what it had emitted by then stays. Raises CoordinatorError when not active."""
        machine = self.require_active()
        writer = _Writer(self._codec, now.wall_ms, batch_bytes_max, atomic=atomic)
        outbox = Outbox(now, machine.apply, writer.check, in_doubt=self._undecided > 0)
        outbox.check_whole = writer.check_whole
        try:
            operation(machine, outbox)
        finally:
            for unit in writer.units:
                self._add(unit, batch_bytes_max)
            if writer.units:
                settled = machine.emitted()
                if settled is not None:
                    outbox.answers.append(settled)
            if outbox.openings:
                self._batches[-1].openings += outbox.openings
            if self._undecided and writer.units:
                self._batches[-1].emitted += outbox.records
            self._answer(outbox.answers)

    def look_ahead(self) -> int | None:
        """Finds out when the machine has something to do by itself: after operations, once for all of them."""
        self.deadline_ms = None if self.machine is None else self.machine.next_deadline_ms()
        return self.deadline_ms

    def perform_in_transaction(
        self,
        now: Now,
        producer: Producer,
        operation: Callable[[M, Outbox, Reply[T]], None],
        then: Callable[[M, Sequence[Record], Sequence[Record]], None],
        reply: Reply[T],
        batch_bytes_max: int,
    ) -> None:
        """Runs an operation whose records belong to a transaction. It must change nothing; ``then`` does, given the
        machine, what was emitted, and what was emitted after it, once that is committed. If the log refuses the
        producer, the reply fails with what it says. Raises what the operation raises, and CoordinatorError when not
        active."""
        machine = self.require_active()
        writer = _Writer(self._codec, now.wall_ms, batch_bytes_max, atomic=True)
        outbox = Outbox(now, lambda _record: None, writer.check)
        operation(machine, outbox, reply)
        for unit in writer.units:
            batch = Batch(InTransaction(producer, reply, partial(then, machine, outbox.records)))
            batch.records = unit.records
            batch.size_bytes += unit.size_bytes
            self._add_undecided(batch)
        self._answer(outbox.answers)

    def mark(self, marker: Marker, then: Callable[[M, Sequence[Record]], None], reply: Reply[None]) -> None:
        """Writes the end of a transaction; else as ``perform_in_transaction``."""
        batch = Batch(InTransaction(marker, reply, partial(then, self.require_active())))
        self._add_undecided(batch)
        self._answer([partial(reply.succeed, None)])

    def _answer(self, answers: Sequence[Callable[[], None]]) -> None:
        if self._batches:
            last = self._batches[-1]
            last.answers += answers
            if answers and not last.sent:
                self._wake()
        else:
            self._give(answers)

    def _add_undecided(self, batch: Batch) -> None:
        self._batches.append(batch)
        self._undecided += 1
        self._wake()

    def _add(self, unit: _Unit, batch_bytes_max: int) -> None:
        last = self._batches[-1] if self._batches else None
        full = last is not None and last.size_bytes + unit.size_bytes > batch_bytes_max
        if last is None or last.sent or last.transaction is not None or full:
            last = Batch()
            self._batches.append(last)
        last.records += unit.records
        last.size_bytes += unit.size_bytes
        self._wake()

    # --- the log ----------------------------------------------------------------------------------------------------

    @property
    def next_batch(self) -> Batch | None:
        """What is to be written next; None when nothing is, or something is under way."""
        if self._batches and not self._batches[0].sent:
            return self._batches[0]
        return None

    def is_under_way(self, batch: Batch) -> bool:
        """Is this what is being written? No longer once the partition was given up."""
        return bool(self._batches) and self._batches[0] is batch

    def committed(self, batch: Batch) -> None:
        """The batch that was under way is committed: those who waited for it get their answers."""
        self._take(batch)
        if batch.transaction is not None:
            assert self.machine is not None
            batch.transaction.then([record for later in self._batches for record in later.emitted])
        self._give(batch.answers)

    def refused(self, batch: Batch, error: CoordinatorError) -> None:
        """The log did not take the batch of a transaction: it has changed nothing. Others who waited for it are
        answered."""
        assert batch.transaction is not None
        self._take(batch)
        self._give([partial(batch.transaction.reply.fail, error), *batch.answers])

    def _take(self, batch: Batch) -> None:
        assert batch.sent
        assert self.is_under_way(batch)
        self._batches.popleft()
        if batch.transaction is not None:
            self._undecided -= 1

    # --- life -------------------------------------------------------------------------------------------------------

    def activate(self, machine: M, now: Now) -> None:
        """The log was read."""
        assert self.state is State.LOADING
        machine.loaded(now)
        self.machine = machine
        self.state = State.ACTIVE

    def unload(self, state: State, error: CoordinatorError) -> None:
        """Gives the machine up, and fails every request that waits for something."""
        machine, self.machine = self.machine, None
        self.state = state
        self.deadline_ms = None
        self._batches.clear()
        self._undecided = 0
        owed, self.owed = self.owed, {}
        for reply in (*owed, *(() if machine is None else machine.abandon())):
            reply.fail(error)
