"""The world of a script: a shard, its log, and whoever writes its markers."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from ottla.config.load import EMBEDDED
from ottla.config.values import BrokerConfig
from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.consumer.patterns import compile_pattern
from ottla.records.transaction_state import TransactionLogKey, TransactionLogValue
from ottla.transactions.changes import Partition, state_of
from ottla.transactions.config import TransactionsConfig
from ottla.transactions.markers import MarkersDue
from ottla.transactions.records import TransactionRecords
from ottla.transactions.shard import TransactionShard
from ottla.transactions.state import state_named
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.k26_end_txn import EndTxnRequest
from tests.transactions.script_texts import (
    LISTED,
    WALL_MS,
    Names,
    answer_text,
    init_request,
    partitions,
    partitions_text,
    record_text,
)

SETTINGS: Final = {
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
    "transaction.two.phase.commit.enable": "true",
}
"""Of the broker, beside Kafka's defaults."""
COORDINATOR_EPOCH: Final = 3
ADVANCES_MAX: Final = 1_000


class World:
    """A shard, its log, and whoever writes its markers."""

    def __init__(self) -> None:
        self.names = Names()
        self._settings = dict(SETTINGS)
        self._version = 2
        self._codec = TransactionRecords(lambda: self._version)
        self._ids = itertools.count(1000)
        self._ids_in_hand = True
        self._now_ms = 0
        self._log: list[tuple[bytes, bytes | None]] = []
        self._uncommitted: deque[tuple[list[Record], list[Callable[[], None]]]] = deque()
        self._holds_commits = self._holds_markers = False
        self._gone: set[str] = set()
        self._answers: list[str] = []
        self._reports: list[str] = []
        self._taken: list[MarkersDue] = []
        self._epoch = COORDINATOR_EPOCH
        self._shard = self._machine()
        self._shard.loaded(self._now())

    def _machine(self) -> TransactionShard:
        return TransactionShard(
            TransactionsConfig.of(BrokerConfig({**dict(EMBEDDED), **self._settings})),
            self._epoch,
            transaction_version=lambda: self._version,
            take_producer_id=lambda: next(self._ids) if self._ids_in_hand else None,
            report=lambda event, name, detail: self._reports.append(f"{name}: {event}: {detail}"),
        )

    def _now(self) -> Now:
        return Now(self._now_ms, WALL_MS + self._now_ms)

    # Running.

    def _run(self, operation: Callable[[Outbox], None]) -> list[str]:
        before = self._states()
        outbox = Outbox(self._now(), self._shard.apply)
        operation(outbox)
        self._uncommitted.append((outbox.records, outbox.answers))
        lines = [] if self._holds_commits else self._commit()
        shown = [*self._changes(before), *(self.record_text(*record) for record in outbox.records)]
        told, self._reports = self._reports, []
        return [*lines, *shown, *told, *self._deliver()]

    def _commit(self) -> list[str]:
        while self._uncommitted:
            records, answers = self._uncommitted.popleft()
            self._log += map(self._codec.encode, records)
            for answer in answers:
                answer()
        taken, self._answers = self._answers, []
        return taken

    def _deliver(self) -> list[str]:
        """Writes what is due, unless the script does."""
        if self._holds_markers:
            return []
        lines: list[str] = []
        for due in self._shard.markers_due():
            lines += self._marker(due)
            codes = {
                each: ErrorCode.UNKNOWN_TOPIC_ID if each[0] in self._gone else ErrorCode.NONE for each in due.partitions
            }
            lines += self._tell(due, codes)
        return lines

    def _marker(self, due: MarkersDue) -> list[str]:
        return [
            f"markers: {due.transactional_id} {self.names.producer(due.producer_id, due.producer_epoch)}"
            f" {'commit' if due.commit else 'abort'} version={due.transaction_version}"
            f" coordinator={due.coordinator_epoch} {partitions_text(list(due.partitions))}"
        ]

    def _tell(self, due: MarkersDue, codes: dict[Partition, ErrorCode]) -> list[str]:
        return self._run(lambda outbox: self._shard.markers_written(due, codes, outbox))

    def ask(self, name: str, api: str, operation: Callable[[TransactionShard, Reply[Any], Outbox], None]) -> list[str]:
        def settled() -> None:
            try:
                self._answers.append(answer_text(name, reply.result(), self.names))
            except CoordinatorError as error:
                self._answers.append(f"{name} <- {api} {error.code.name}")

        reply: Reply[Any] = Reply()
        reply.when_settled(settled)

        def run(outbox: Outbox) -> None:
            try:
                operation(self._shard, reply, outbox)
            except CoordinatorError as error:
                outbox.refuse(reply, error.code, error.message)

        return self._run(run)

    def advance(self, milliseconds: int) -> list[str]:
        lines: list[str] = []
        end_ms = self._now_ms + milliseconds
        for _ in range(ADVANCES_MAX):
            at_ms = self._shard.next_deadline_ms()
            if at_ms is None or at_ms > end_ms:
                self._now_ms = end_ms
                return lines
            self._now_ms = max(self._now_ms, at_ms)
            lines += self._run(self._shard.advance)
        raise AssertionError("there is always something due")

    # Looking.

    def _states(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in self._shard.transactional_ids:
            value = self._shard.get(name)
            assert value is not None
            found[name] = f"{state_of(value).text}({self.names.producer(value.producer_id, value.producer_epoch)})"
        return found

    def _changes(self, before: dict[str, str]) -> Iterator[str]:
        after = self._states()
        for name in sorted(before | after):
            old, new = before.get(name, "(none)"), after.get(name, "(none)")
            if old != new:
                yield f"{name}: {old} -> {new}"

    def record_text(self, key: object, value: object) -> str:
        assert isinstance(key, TransactionLogKey)
        assert value is None or isinstance(value, TransactionLogValue)
        return record_text(key.transactional_id, value, self.names, WALL_MS)

    # Requests.

    def init(self, name: str, request: InitProducerIdRequest, version: int) -> list[str]:
        return self.ask(
            name, "InitProducerId", lambda shard, reply, outbox: shard.init_producer_id(request, reply, outbox)
        )

    def end(self, name: str, request: EndTxnRequest, version: int) -> list[str]:
        return self.ask(name, "EndTxn", lambda shard, reply, outbox: shard.end_txn(request, version, reply, outbox))

    def add(self, name: str, producer: tuple[int, int], of: list[Partition], version: int, verify: bool) -> list[str]:
        return self.ask(
            name,
            "AddPartitionsToTxn",
            lambda shard, reply, outbox: shard.add_partitions(
                name, *producer, of, reply, outbox, verify_only=verify, transaction_version=2 if version >= 4 else 0
            ),
        )

    def describe(self, name: str) -> list[str]:
        return self.ask(
            name,
            "DescribeTransactions",
            lambda shard, reply, outbox: outbox.answer(reply, shard.described(name)),
        )

    def list_ids(self, words: dict[str, str]) -> list[str]:
        states = [state_named(each) for each in words["states"].split(",")] if "states" in words else None
        matches = compile_pattern(words["pattern"]).fullmatch if "pattern" in words else None
        ids = frozenset(self.names.id(each) for each in words.get("producers", "").split(",") if each)
        return self.ask(
            LISTED,
            "ListTransactions",
            lambda shard, reply, outbox: shard.list(
                reply,
                outbox,
                states=None if states is None else frozenset(state for state in states if state is not None),
                producer_ids=ids,
                duration_ms=int(words.get("duration", -1)),
                matches=matches,
            ),
        )

    def spend(self, name: str, epoch: int) -> list[str]:
        """The producer begins again and again, until it has this epoch."""
        request, box = init_request(name, {}, self.names), Outbox(self._now(), self._shard.apply)
        while (value := self._shard.get(name)) is None or value.producer_epoch < epoch:
            box.records.clear()
            self._shard.init_producer_id(request, Reply(), box)
        self._log += map(self._codec.encode, box.records)
        return [f"{name}: {self.names.producer(value.producer_id, value.producer_epoch)}"]

    # What happens to the broker.

    def configure(self, settings: dict[str, str]) -> None:
        self._settings.update(settings)
        self._reload()

    def delete(self, topic: str) -> list[str]:
        self._gone.add(topic)
        return []

    def use_version(self, version: int) -> list[str]:
        self._version = version
        return []

    def reload(self) -> list[str]:
        return self._reload()

    def _reload(self) -> list[str]:
        self._uncommitted.clear()
        for reply in self._shard.abandon():
            reply.fail(CoordinatorError(ErrorCode.NOT_COORDINATOR))
        lines, self._answers = self._answers, []
        self._epoch += 1
        self._shard = self._machine()
        for key, value in self._log:
            self._shard.apply(self._codec.decode(key, value))
        self._shard.loaded(self._now())
        lines += [f"{name}: {state} loaded" for name, state in self._states().items()]
        return [*lines, *self._deliver()]

    # What only our own machine does.

    def inside(self, verb: str, words: dict[str, str], rest: list[str]) -> list[str]:
        match verb, rest:
            case "markers", ["held"]:
                self._holds_markers = True
                return []
            case "markers", _:
                due = self._shard.markers_due()
                self._taken += due
                return [line for each in due for line in self._marker(each)] or ["markers: none"]
            case "refused", [count]:
                lines = []
                for _ in range(int(count)):
                    lines += self.inside("written", dict(words), [])
                    lines += self.advance(1_000)
                    self._taken += self._shard.markers_due()
                return lines
            case "written", _:
                which, name, producer = words.pop("which", "last"), words.pop("id", "x"), words.pop("producer")
                taken = [
                    each
                    for each in self._taken
                    if (each.transactional_id, self.names.producer(each.producer_id, each.producer_epoch))
                    == (name, producer)
                ]
                codes = {partitions([each])[0]: ErrorCode[code] for each, code in words.items()}
                return self._tell(taken[0 if which == "first" else -1], codes)
            case "exact", _:
                return []
            case "commits", ["held"]:
                self._holds_commits = True
                return []
            case "commit", _:
                return [*self._commit(), *self._deliver()]
            case "crowd", [count]:
                request = init_request("x", {}, self.names)
                return [line for _ in range(int(count)) for line in self.init("x", request, 5)]
            case "ids", [word]:
                self._ids_in_hand = word == "there"
                return []
        raise ValueError(f"no such command: {verb}")
