"""Histories of transactional ids from seeds: producers begin, write, commit, crash, pause and come back as zombies;
answers are late or lost; markers are late, lost and repeated; coordinators are read again, topics deleted.

In the end nothing goes wrong any more, and everything has to end: no transaction is open anywhere, all data of one
transaction has one outcome, and that is the one which its producer was told.

    python -m tests.transactions.histories FIRST [END]     one with its transcript, or many
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final, NamedTuple, final

from ottla.coordinator.log import Opening
from ottla.coordinator.machine import Record
from ottla.errors import ErrorCode
from ottla.records.transaction_state import TransactionLogKey, TransactionLogValue
from ottla.transactions.changes import Partition
from ottla.transactions.config import TransactionsConfig
from ottla.transactions.markers import MarkersDue
from ottla.transactions.state import State
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.k26_end_txn import EndTxnRequest
from tests.support.histories import Crowd, main
from tests.transactions.partition_model import DataPartition
from tests.transactions.process_model import Add, End, Init, Process, Write
from tests.transactions.shard_model import LAG_MS, WALL_MS, ShardModel

__all__ = ["History"]

STEPS: Final = 250
CALM_ROUND_MS: Final = 400
CALM_ROUNDS_MAX: Final = 400
PARTITIONS: Final = 4
TIMEOUT_MS: Final = 2_000
PAUSES_MS: Final = (500, 3_000, 6_000)
FAILURES: Final = (
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
)


class _Message(NamedTuple):
    """A marker on its way to a partition."""

    due: MarkersDue
    partition: Partition


class _Asked(NamedTuple):
    process: Process
    write: Write | None
    label: str
    guard: int | None
    pair: tuple[int, int]


@final
class History:
    """One history; all chance comes from its seed."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(seed)
        version = rng.choice((1, 2, 2, 2))
        config = TransactionsConfig(
            abort_interval_ms=1_000,
            expire_interval_ms=1_000,
            expiration_ms=rng.choice((8_000, 10**9)),
            wait_ms=rng.choice((0, 100)),
        )
        self.model = ShardModel(config, version, 1_000, self._hear, self._expect)
        self.partitions: dict[Partition, DataPartition] = {("t", index): DataPartition() for index in range(PARTITIONS)}
        self.deleted: dict[Partition, DataPartition] = {}
        self.crowd: Crowd[Process] = Crowd(self.rng)
        self.names = [f"x{number}" for number in range(rng.choice((1, 1, 3)))]
        self._numbers = itertools.count(1)
        self._asking: dict[int, _Asked] = {}
        self._late: list[Callable[[], None]] = []
        self._messages: list[_Message] = []
        self._commits_at_once = rng.random() < 0.5
        self._delivers_at_once = rng.random() < 0.3
        self._is_calm = False
        if rng.random() < 0.3:
            self._use_up_epochs()

    def _use_up_epochs(self) -> None:
        for number, name in enumerate(self.names):
            value = TransactionLogValue(
                producer_id=number,
                previous_producer_id=number,
                producer_epoch=32_767 - self.rng.randrange(1, 8),
                transaction_timeout_ms=TIMEOUT_MS,
                transaction_status=State.EMPTY,
                transaction_partitions=None,
                transaction_last_update_timestamp_ms=WALL_MS,
                transaction_start_timestamp_ms=-1,
            )
            record = Record(TransactionLogKey(transactional_id=name), value)
            self.model.run(lambda outbox, record=record: outbox.emit(record))  # type: ignore[misc]
        self.model.commit()

    def play(self) -> None:
        """Raises AssertionError when something does not hold."""
        for _ in range(STEPS):
            self._step()
            if self._commits_at_once or self.rng.random() < 0.3:
                self.model.commit(None if self.rng.random() < 0.5 else 1)
            self._take_markers()
        self._end()

    def transcript(self) -> Iterator[str]:
        return (" ".join(map(str, line)) for line in self.model.said)

    # What happens.

    def _step(self) -> None:
        kinds: dict[Callable[[], None], float] = {
            self._act: 60,
            self._pass_time: 14,
            self._deliver: 25,
            self._answer_late: 10,
            self._start: 4,
            self.crowd.crash: 2,
            lambda: self.crowd.pause(self.model.now_ms, PAUSES_MS): 3,
            self._lose_connection: 4,
            self._reload: 2,
            self._delete_topic: 0.3,
            self._ids_out: 0.5,
            self._babble: 3,
        }
        self.rng.choices(list(kinds), list(kinds.values()))[0]()

    def _start(self) -> None:
        is_new = self.model.version >= 2 and self.rng.random() < 0.6
        name = self.rng.choice(self.names)
        self.crowd.all.append(Process(f"p{next(self._numbers)}", name, is_new, self.rng))

    def _lose_connection(self) -> None:
        process = self.crowd.any_living()
        if process is not None and process.waits_for is not None:
            process.lost()

    def _act(self) -> None:
        process = self.crowd.any_ready(self.model.now_ms)
        if process is not None:
            self._do(process)

    def _do(self, process: Process) -> None:
        step = process.next_step(list(self.partitions))
        name, pair = process.transactional_id, process.pair or (-1, -1)
        asked = _Asked(process, None, process.label, None, pair)
        match step:
            case Init():
                init = InitProducerIdRequest(
                    transactional_id=name,
                    transaction_timeout_ms=TIMEOUT_MS,
                    producer_id=step.pair[0],
                    producer_epoch=step.pair[1],
                )
                self._ask(asked, f"{init}", lambda shard, reply, box: shard.init_producer_id(init, reply, box))
            case Add():
                self._ask(
                    asked,
                    f"{name} {pair} add {step.partition}",
                    lambda shard, reply, box: shard.add_partitions(
                        name, *pair, [step.partition], reply, box, transaction_version=0
                    ),
                )
            case End():
                end = EndTxnRequest(
                    transactional_id=name, producer_id=pair[0], producer_epoch=pair[1], committed=step.commit
                )
                version = 5 if process.is_new else 4
                self._ask(asked, f"{end}", lambda shard, reply, box: shard.end_txn(end, version, reply, box))
            case Write():
                self._write(process, step, pair)

    def _write(self, process: Process, write: Write, pair: tuple[int, int]) -> None:
        """As the leader of the partition: it asks unless the transaction is open there."""
        partition = self.partitions.get(write.partition)
        if partition is None:
            process.written(process.label, write.data, is_there=False)
            return
        guard = partition.guard(*pair)
        if guard is None or (not process.is_new and partition.is_confirmed(*pair)):
            process.written(process.label, write.data, is_there=partition.append(*pair, write.data, guard))
            return
        self._ask(
            _Asked(process, write, process.label, guard, pair),
            f"{process.transactional_id} {pair} writes {write}",
            lambda shard, reply, box: shard.add_partitions(
                process.transactional_id,
                *pair,
                [write.partition],
                reply,
                box,
                verify_only=not process.is_new,
                transaction_version=2,
            ),
        )

    def _expect(self, opening: Opening) -> Callable[[], None]:
        """The coordinator is about to write that a transaction is open on a partition; gives how that hears of it."""
        partition = self.partitions.get((opening.topic, opening.partition))
        if partition is None or self.rng.random() < 0.2:
            return lambda: None
        guard = partition.expect(opening.producer_id)
        return lambda: partition.confirm(opening.producer_id, opening.producer_epoch, guard)

    def _ask(self, asked: _Asked, what: str, operation: Callable[..., None]) -> None:
        # The number is known before the answer.
        waiting = len(self.model.owed)
        number = self.model.ask(f"{asked.process.name} {what}", operation)
        assert len(self.model.owed) == waiting + 1, "no answer leaves before it is committed"
        self._asking[number] = asked
        asked.process.waits_for = number

    def _hear(self, number: int, answer: Any) -> None:
        asked = self._asking.pop(number, None)
        if asked is None:
            return
        if self.rng.random() < 0.2 and not self._is_calm:
            self._late.append(lambda: self._heard(number, asked, answer))
        else:
            self._heard(number, asked, answer)

    def _heard(self, number: int, asked: _Asked, answer: Any) -> None:
        process, write = asked.process, asked.write
        listens = process.is_alive and process.waits_for == number
        if write is None:
            if listens:
                process.heard(answer)
            return
        # The leader of the partition goes on, whether its client is there or not.
        partition = self.partitions.get(write.partition)
        is_there = (
            answer == [ErrorCode.NONE]
            and partition is not None
            and partition.append(*asked.pair, write.data, asked.guard)
        )
        if listens:
            process.written(asked.label, write.data, is_there=is_there)

    def _answer_late(self) -> None:
        if self._late:
            self._late.pop(self.rng.randrange(len(self._late)))()

    def _pass_time(self) -> None:
        model, until_ms = self.model, self.model.now_ms + self.rng.choice((1, 20, 100, 400, 1_500, 4_000))
        while model.now_ms < until_ms:
            model.now_ms = min(model.now_ms + self.rng.choice((100, LAG_MS)), until_ms)
            model.advance()

    def _ids_out(self) -> None:
        self.model.ids_in_hand = not self.model.ids_in_hand
        self.model.sweeps_since_ms = self.model.now_ms

    def _reload(self) -> None:
        moves = self.rng.random() < 0.5
        if not moves:
            # Appends of one broker are done in order: what was on its way is there, or never will be.
            for message in self._messages:
                if message.due.transaction_version < 2 and self.rng.random() < 0.5:
                    self._mark(message)
            self._messages = [each for each in self._messages if each.due.transaction_version >= 2]
        self.model.reload(fails=self.rng.random() < 0.5, moves=moves)

    def _delete_topic(self) -> None:
        if len(self.partitions) > 1:
            name = self.rng.choice(list(self.partitions))
            self.deleted[name] = self.partitions.pop(name)

    def _babble(self) -> None:
        """What no client of this transactional id would ask."""
        rng, name = self.rng, self.rng.choice(self.names)
        value = self.model.shard.get(name)
        producer_id = 77 if value is None else value.producer_id
        epoch = 32_000 if value is None else value.producer_epoch
        known = [process.pair for process in self.crowd.all if process.pair is not None]
        strange = [(77, 0), (producer_id, epoch + 1), *(pair for pair in known if pair[1] < epoch - 1)]
        pair = rng.choice(strange)
        end = EndTxnRequest(transactional_id=name, producer_id=pair[0], producer_epoch=pair[1], committed=True)
        version = rng.choice((4, 5))
        if rng.random() < 0.5 and pair[1] <= 32_767:
            self.model.ask(f"stranger {end}", lambda shard, reply, box: shard.end_txn(end, version, reply, box))
        elif pair[1] <= 32_767:
            self.model.ask(
                f"stranger adds as {pair}",
                lambda shard, reply, box: shard.add_partitions(
                    name, *pair, [("t", 0)], reply, box, transaction_version=rng.choice((0, 2))
                ),
            )

    # Markers.

    def _take_markers(self) -> None:
        for due in self.model.take_markers():
            self._messages += (_Message(due, partition) for partition in due.partitions)
        while self._messages and (self._delivers_at_once or self._is_calm):
            self._deliver()
            self.model.commit()

    def _mark(self, message: _Message) -> ErrorCode:
        partition = self.partitions.get(message.partition)
        return ErrorCode.UNKNOWN_TOPIC_ID if partition is None else partition.mark(message.due)

    def _deliver(self) -> None:
        """A marker comes, or is lost, or its answer is; a new one may come again, whenever."""
        if not self._messages:
            return
        message = self._messages.pop(self.rng.randrange(len(self._messages)))
        fate = 1.0 if self._is_calm else self.rng.random()
        if fate < 0.1:
            code = self.rng.choice(FAILURES)
        else:
            code = self._mark(message)
            if fate < 0.2:
                code = self.rng.choice(FAILURES)
            elif fate < 0.35 and message.due.transaction_version >= 2:
                self._messages.append(message)
        delivery = message.due.decision
        current = self.model.shard.is_under_way(message.due)
        assert not (current and code is ErrorCode.INVALID_PRODUCER_EPOCH), (message, delivery)
        self.model.tell(message.due, {message.partition: code})

    # The end.

    def _end(self) -> None:
        model = self.model
        self._is_calm = model.ids_in_hand = True
        model.sweeps_since_ms = model.now_ms
        while self._late:
            self._answer_late()
        if self.rng.random() < 0.5:
            for process in self.crowd.living():
                process.is_alive = self.rng.random() < 0.5
        for _ in range(CALM_ROUNDS_MAX):
            model.commit()
            self._take_markers()
            if model.is_settled and not self.crowd.living() and not self._messages:
                break
            for process in self.crowd.living():
                if process.waits_for is None and process.paused_until_ms <= model.now_ms:
                    self._do(process)
                    model.commit()
                    self._take_markers()
                if self.rng.random() < 0.05:
                    process.is_alive = False
            model.now_ms += CALM_ROUND_MS
            model.advance()
        self._check_end()

    def _check_end(self) -> None:
        model = self.model
        assert model.is_settled, "everything ends"
        outcomes: dict[str, bool] = {}
        for partition in self.partitions.values():
            assert not partition.pending, f"{partition.pending} hold the last stable offset back"
            outcomes |= partition.outcomes
        by_label: dict[str, set[bool]] = {}
        for data, outcome in outcomes.items():
            by_label.setdefault(data.rpartition(".")[0], set()).add(outcome)
        torn = [label for label, found in by_label.items() if len(found) > 1]
        assert not torn, f"torn: {torn}"
        for process in self.crowd.all:
            for label, commit in process.told.items():
                for data in process.acknowledged.get(label, ()):
                    found = outcomes.get(data)
                    assert found == commit or (found is None and self.deleted), f"{data} is {found}, told {commit}"


if __name__ == "__main__":
    main(History)
