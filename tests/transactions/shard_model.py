"""The coordinator of a history: a machine, the log that it writes, and what is known of it from outside.

Answers leave once the records before them are committed, which may be some steps later; a failed append loses what is
not committed, and the machine is read again from the log, sometimes by another broker. After each step all is checked.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, final

from ottla.coordinator.log import Opening
from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.records.transaction_state import TransactionLogKey, TransactionLogValue
from ottla.transactions.changes import Partition, state_of
from ottla.transactions.config import TransactionsConfig
from ottla.transactions.markers import MarkersDue
from ottla.transactions.records import TransactionRecords
from ottla.transactions.shard import TransactionShard
from ottla.transactions.state import PREPARED, TRANSITIONS, State

__all__ = ["Operation", "ShardModel"]

WALL_MS: Final = 1_700_000_000_000
ADVANCES_MAX: Final = 1_000
LAG_MS: Final = 600
"""How late ``advance`` is called at most, in histories."""

Operation = Callable[[TransactionShard, Reply[Any], Outbox], None]
Log = dict[str, TransactionLogValue]


class _Batch(NamedTuple):
    records: list[Record]
    answers: list[Callable[[], None]]


@final
class ShardModel:
    """``hear`` is told each answer by the number of its request; None when there is none. ``expect`` is told what a
    partition is to know, and gives what to call once that is committed."""

    def __init__(
        self,
        config: TransactionsConfig,
        version: int,
        first_producer_id: int,
        hear: Callable[[int, Any], None],
        expect: Callable[[Opening], Callable[[], None]],
    ) -> None:
        self.config = config
        self.version = version
        self.now_ms = 0
        self.ids_in_hand = True
        self.sweeps_since_ms = 0
        """Since when sweeps come, and can do something."""
        self.said: list[tuple[object, ...]] = []
        self.owed: dict[int, Reply[Any]] = {}
        self.decisions: dict[tuple[str, int, int], bool] = {}
        """How transactions ended, by transactional id, producer id and epoch of the marker, where that names one."""
        self._ids = itertools.count(first_producer_id)
        self._hear = hear
        self._expect = expect
        self._numbers = itertools.count(1)
        self._codec = TransactionRecords(lambda: self.version)
        self._epoch = 1
        self._committed: Log = {}
        self._log: Log = {}
        self._batches: deque[_Batch] = deque()
        self._woken = False
        self.shard = self._machine()
        self.shard.loaded(self.now)

    @property
    def now(self) -> Now:
        return Now(self.now_ms, WALL_MS + self.now_ms)

    def _machine(self) -> TransactionShard:
        return TransactionShard(
            self.config,
            self._epoch,
            transaction_version=lambda: self.version,
            take_producer_id=lambda: next(self._ids) if self.ids_in_hand else None,
            wake=self._wake,
        )

    def _wake(self) -> None:
        self._woken = True

    # Running.

    def ask(self, what: str, operation: Operation) -> int:
        number = next(self._numbers)
        reply: Reply[Any] = Reply()
        reply.when_settled(lambda: self._settled(number))
        self.owed[number] = reply
        self.said.append((self.now_ms, number, "->", what))

        def run(outbox: Outbox) -> None:
            try:
                operation(self.shard, reply, outbox)
            except CoordinatorError as error:
                outbox.refuse(reply, error.code, error.message)

        self.run(run)
        return number

    def _settled(self, number: int) -> None:
        reply = self.owed.pop(number)
        try:
            answer = reply.result()
        except CoordinatorError as error:
            self.said.append((self.now_ms, number, "<-", error.code.name))
            answer = None
        else:
            self.said.append((self.now_ms, number, "<-", answer))
        self._hear(number, answer)

    def run(self, operation: Callable[[Outbox], None]) -> None:
        """One operation; it is committed later."""
        outbox = Outbox(self.now, self._apply)
        operation(outbox)
        self._batches.append(_Batch(outbox.records, [*map(self._expect, outbox.openings), *outbox.answers]))
        self.check()

    def _apply(self, record: Record) -> None:
        self.said.append((self.now_ms, "emitted", record))
        self._check_change(record, self._log)
        # What was written is what is read.
        self.shard.apply(record)
        put(self._log, self._codec.decode(*self._codec.encode(record)))

    def commit(self, batches: int | None = None) -> None:
        """The oldest operations are committed, all by default."""
        for _ in range(len(self._batches) if batches is None else min(batches, len(self._batches))):
            records, answers = self._batches.popleft()
            for record in records:
                self._check_change(record, self._committed)
                self._decided(record)
                put(self._committed, record)
            for answer in answers:
                answer()
        self.check()

    def advance(self) -> None:
        """Does what is due."""
        for _ in range(ADVANCES_MAX):
            due_ms = self.shard.next_deadline_ms()
            if due_ms is None or due_ms > self.now_ms:
                self._check_timeouts()
                return
            self.run(self.shard.advance)
        raise AssertionError("there is always something due")

    def reload(self, *, fails: bool, moves: bool) -> None:
        """The machine is given up and read again; with ``fails`` without what is not committed yet."""
        self.said.append((self.now_ms, "reload", "after a failure" if fails else "", "elsewhere" if moves else ""))
        if fails:
            self._batches.clear()
            self._log = dict(self._committed)
        else:
            self.commit()
        inside = {id(reply) for reply in self.shard.abandon()}
        assert fails or inside == {id(reply) for reply in self.owed.values()}, "whoever is not answered waits inside"
        for reply in list(self.owed.values()):
            reply.fail(CoordinatorError(ErrorCode.NOT_COORDINATOR))
        self._epoch += moves
        self.shard = self._machine()
        for transactional_id, value in self._log.items():
            self.shard.apply(Record(TransactionLogKey(transactional_id=transactional_id), value))
        self.shard.loaded(self.now)
        self.sweeps_since_ms = self.now_ms
        self.check()

    def take_markers(self) -> list[MarkersDue]:
        due = self.shard.markers_due()
        assert not due or self._woken, "who sends markers is woken"
        self._woken = False
        for each in due:
            self.said.append((self.now_ms, "markers", each[:-1]))
            value = self._committed[each.transactional_id]
            assert state_of(value) in PREPARED, "markers are of what is decided for good"
            assert each.commit == (state_of(value) is State.PREPARE_COMMIT)
            assert (each.producer_id, each.producer_epoch) == (value.producer_id, value.producer_epoch)
        return due

    def tell(self, due: MarkersDue, results: dict[Partition, ErrorCode]) -> None:
        self.said.append((self.now_ms, "told", due[:-1], results))
        self.run(lambda outbox: self.shard.markers_written(due, results, outbox))

    # Checks.

    def _check_change(self, record: Record, log: Log) -> None:
        assert isinstance(record.key, TransactionLogKey)
        value = record.value
        old = log.get(record.key.transactional_id)
        if old is None or value is None:
            assert old is None or State.DEAD in TRANSITIONS[state_of(old)], "what is open is not forgotten"
            return
        assert isinstance(value, TransactionLogValue)
        assert state_of(value) in TRANSITIONS[state_of(old)], (state_of(old), state_of(value))
        assert (value.producer_id, value.producer_epoch) >= (old.producer_id, old.producer_epoch), "epochs go on"
        assert value.previous_producer_id == old.producer_id

    def _decided(self, record: Record) -> None:
        value = record.value
        assert isinstance(record.key, TransactionLogKey)
        if not isinstance(value, TransactionLogValue) or state_of(value) not in PREPARED:
            return
        if value.client_transaction_version >= 2:
            key = (record.key.transactional_id, value.producer_id, value.producer_epoch)
            commit = state_of(value) is State.PREPARE_COMMIT
            assert self.decisions.setdefault(key, commit) == commit, f"{key} is decided once"

    def _check_timeouts(self) -> None:
        if not self.ids_in_hand:
            return
        lasts_ms = self.config.abort_interval_ms + LAG_MS
        if self.now_ms <= self.sweeps_since_ms + lasts_ms:
            return
        latest_ms = WALL_MS + self.now_ms - lasts_ms
        for transactional_id in self.shard.transactional_ids:
            value = self.shard.get(transactional_id)
            assert value is not None
            if state_of(value) is State.ONGOING:
                until_ms = value.transaction_start_timestamp_ms + value.transaction_timeout_ms
                assert until_ms >= latest_ms, f"{transactional_id} is open beyond its time"

    def check(self) -> None:
        """Everything that holds between two operations."""
        held = {name: self.shard.get(name) for name in self.shard.transactional_ids}
        assert held == self._log, "the log says it all"
        waiting = [id(reply) for reply in self.shard.abandon()]
        assert len(waiting) == len(set(waiting)), "a reply is kept once"
        assert set(waiting) <= {id(reply) for reply in self.owed.values()}, "who was answered does not wait"
        for transactional_id in self.shard.waiting_ids:
            value = held[transactional_id]
            assert value is not None
            assert state_of(value) in PREPARED, f"nothing waits for {transactional_id} without a reason"
        due_ms = self.shard.next_deadline_ms()
        assert due_ms is not None, "there is always a sweep to come"
        assert not waiting or due_ms <= self.now_ms + self.config.wait_ms, "nobody waits for long"

    @property
    def is_settled(self) -> bool:
        """Is nothing open or under way?"""
        states = {state_of(value) for value in self._committed.values()}
        return not self._batches and not self.owed and not states & {State.ONGOING, *PREPARED}


def put(log: Log, record: Record) -> None:
    """As compaction does."""
    assert isinstance(record.key, TransactionLogKey)
    if record.value is None:
        log.pop(record.key.transactional_id, None)
    else:
        assert isinstance(record.value, TransactionLogValue)
        log[record.key.transactional_id] = record.value
