"""Runs the scripts of ``tests/scripts/transactions``: producers, their coordinator, and the full transcript.

A script is a series of steps: commands, ``----``, what came of them, an empty line. Lines with ``#`` are comments.
Words are ``name=value``; what is missing has a usual value. Producer ids are named in the order in which they are seen,
a producer is an id with an epoch; a transactional id is ``x`` unless said otherwise::

    init y timeout=60000                   InitProducerId for transactional id y
    init producer=P1/0                     it goes on after an error
    add producer=P1/0 t-0 t-1              AddPartitionsToTxn; v=4 as leaders of partitions do, verify=yes only asks
    end producer=P1/0 commit               EndTxn; v=5 for transaction version 2
    advance 3000                           milliseconds pass

Markers are written as soon as they are due, unless the script takes that over: ``markers held``, then ``markers`` shows
what is due and takes it, ``written producer=P1/0 t-0=NONE`` tells what came of it (of what was taken last, or
``which=first``). ``commits held`` keeps what is emitted from being committed until ``commit``. Lines of the transcript:
answers by transactional id; how it changed; records; markers.

    python -m tests.transactions.scripts FILE...                       compare
    python -m tests.transactions.scripts --rewrite FILE...             write what comes out
    python -m tests.transactions.scripts --against HOST:PORT FILE...   compare with Kafka, in real time

With ``--restart COMMAND`` scripts can have Kafka configured and started again; see ``against``.
"""

from __future__ import annotations

import argparse
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from ottla.config.load import EMBEDDED
from ottla.config.values import BrokerConfig
from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.consumer.patterns import compile_pattern
from ottla.records.transaction_state import TransactionLogKey, TransactionLogValue
from ottla.transactions.changes import Partition, partitions_of, state_of
from ottla.transactions.config import TransactionsConfig
from ottla.transactions.markers import MarkersDue
from ottla.transactions.records import TransactionRecords
from ottla.transactions.shard import TransactionShard
from ottla.transactions.state import state_named
from ottla.wire.k22_init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.k26_end_txn import EndTxnRequest, EndTxnResponse
from ottla.wire.k65_describe_transactions import TransactionState as Described
from tests.support.api_scripts import Step, parse, unparse, with_transcripts

WALL_MS: Final = 1_700_000_000_000
"""When scripts begin."""
SETTINGS: Final = {
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
    "transaction.two.phase.commit.enable": "true",
}
"""Of the broker, beside Kafka's defaults."""
COORDINATOR_EPOCH: Final = 3
ADVANCES_MAX: Final = 1_000
LISTED: Final = "listed"


class NotOfKafka(Exception):
    """A command that reaches inside, which only our own machine allows."""


class Names:
    """Producer ids by short names, in the order in which they are seen."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {-1: "none"}

    def name(self, producer_id: int) -> str:
        return self._names.setdefault(producer_id, f"P{len(self._names)}")

    def producer(self, producer_id: int, epoch: int) -> str:
        return f"{self.name(producer_id)}/{epoch}"

    def id(self, name: str) -> int:
        for producer_id, known in self._names.items():
            if known == name:
                return producer_id
        return int(name)

    def pair(self, text: str) -> tuple[int, int]:
        name, _, epoch = text.partition("/")
        return self.id(name), int(epoch or -1)


def partitions(words: list[str]) -> list[Partition]:
    """Those named ``topic-index``."""
    found = [word.rpartition("-") for word in words]
    return [(topic, int(index)) for topic, _, index in found]


def partitions_text(of: list[Partition]) -> str:
    return ",".join(sorted(f"{topic}-{index}" for topic, index in of)) or "(none)"


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

        reply: Reply[Any] = Reply(settled)

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
        return self.ask(name, "DescribeTransactions", lambda shard, reply, outbox: shard.describe(name, reply, outbox))

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


# Requests from words.


def init_request(name: str, words: dict[str, str], names: Names) -> InitProducerIdRequest:
    producer_id, epoch = names.pair(words.get("producer", "-1/-1"))
    return InitProducerIdRequest(
        transactional_id=name,
        transaction_timeout_ms=int(words.get("timeout", 60_000)),
        producer_id=producer_id,
        producer_epoch=epoch,
        enable2_pc="2pc" in words,
        keep_prepared_txn="keep" in words,
    )


# Answers as text.


def answer_text(name: str, answer: Any, names: Names) -> str:
    match answer:
        case InitProducerIdResponse():
            code = ErrorCode(answer.error_code)
            who = "" if code else f" {names.producer(answer.producer_id, answer.producer_epoch)}"
            return f"{name} <- InitProducerId {code.name}{who}"
        case EndTxnResponse():
            who = "" if answer.producer_id < 0 else f" {names.producer(answer.producer_id, answer.producer_epoch)}"
            return f"{name} <- EndTxn {ErrorCode(answer.error_code).name}{who}"
        case Described():
            return described_text(answer, names, WALL_MS)
        case [*codes] if name != LISTED:
            return f"{name} <- AddPartitionsToTxn {' '.join(each.name for each in codes)}"
    listed = sorted(
        f"{each.transactional_id} {each.transaction_state}({names.name(each.producer_id)})" for each in answer
    )
    return f"{name}: {', '.join(listed) or '(none)'}"


def described_text(answer: Described, names: Names, wall_ms: int) -> str:
    if answer.error_code:
        return f"{answer.transactional_id}: {ErrorCode(answer.error_code).name}"
    parts = [(each.topic, index) for each in answer.topics for index in each.partitions]
    return (
        f"{answer.transactional_id}: {answer.transaction_state}"
        f" {names.producer(answer.producer_id, answer.producer_epoch)} timeout={answer.transaction_timeout_ms}"
        f" {since_text(answer.transaction_start_time_ms, wall_ms)} {partitions_text(parts)}"
    )


def since_text(start_ms: int, wall_ms: int) -> str:
    return "since=never" if start_ms == -1 else f"since={start_ms - wall_ms}"


def record_text(name: str, value: TransactionLogValue | None, names: Names, wall_ms: int) -> str:
    if value is None:
        return f"record: {name} deleted"
    words = [
        "record:",
        name,
        state_of(value).text,
        names.producer(value.producer_id, value.producer_epoch),
        f"timeout={value.transaction_timeout_ms}",
        since_text(value.transaction_start_timestamp_ms, wall_ms),
        f"version={value.client_transaction_version}",
    ]
    if value.previous_producer_id != value.producer_id:
        words.append(f"previous={names.name(value.previous_producer_id)}")
    if value.next_producer_id != -1:
        words.append(f"next={names.name(value.next_producer_id)}")
    if value.transaction_partitions is not None:
        words.append(partitions_text(partitions_of(value)))
    return " ".join(words)


# Scripts.


def play(steps: list[Step], world: Any) -> list[Step]:
    """The steps with the transcripts as they come out."""
    return with_transcripts(steps, lambda command: run_command(command, world))


def run_command(command: str, world: Any) -> list[str]:
    verb, *rest = command.split()
    words = dict(word.split("=", 1) for word in rest if "=" in word)
    bare = [word for word in rest if "=" not in word]
    names = world.names
    lines: list[str] = []
    match verb:
        case "config":
            world.configure(words)
        case "advance":
            lines = world.advance(int(bare[0]))
        case "init":
            name = bare[0] if bare else "x"
            lines = world.init(name, init_request("" if name == "?" else name, words, names), int(words.get("v", 5)))
        case "add":
            version, name = int(words.get("v", 3)), words.get("id", "x")
            lines = world.add(name, names.pair(words["producer"]), partitions(bare), version, "verify" in words)
        case "end":
            producer_id, epoch = names.pair(words["producer"])
            name = words.get("id", "x")
            request = EndTxnRequest(
                transactional_id=name, producer_id=producer_id, producer_epoch=epoch, committed="commit" in bare
            )
            lines = world.end(name, request, int(words.get("v", 4)))
        case "describe":
            lines = world.describe(bare[0] if bare else "x")
        case "list":
            lines = world.list_ids(words)
        case "spend":
            lines = world.spend("x", int(bare[0]))
        case "delete":
            lines = world.delete(bare[0])
        case "version":
            lines = world.use_version(int(bare[0]))
        case "reload":
            lines = world.reload()
        case _:
            lines = world.inside(verb, words, bare)
    return lines


def play_text(text: str) -> str:
    return unparse(play(parse(text), World()))


def main() -> int:
    parser = argparse.ArgumentParser(description="Run scripts of transactional ids.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rewrite", action="store_true")
    parser.add_argument("--against", metavar="HOST:PORT")
    parser.add_argument("--restart", metavar="COMMAND")
    options = parser.parse_args()
    different = 0
    for path in options.files:
        text = path.read_text()
        if options.against:
            from tests.transactions.against import play_against

            host, _, port = options.against.rpartition(":")
            different += play_against(path, text, (host, int(port)), options.restart)
        elif (played := play_text(text)) != text:
            different += 1
            if options.rewrite:
                path.write_text(played)
            else:
                print(f"{path} has another transcript now")
    return 0 if options.rewrite else min(different, 1)


if __name__ == "__main__":
    raise SystemExit(main())
