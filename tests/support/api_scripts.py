"""Runs the scripts of ``tests/scripts``: requests of clients as JSON, and the full transcript of the answers.

Steps are as in ``scripts``, with a command each::

    CreateTopics v7 {"topics": [{"name": "a", "num_partitions": 1, "replication_factor": 1}], "timeout_ms": 5000}

Fields have the names of ``ottla.wire``; what is missing has Kafka's default. The id of a topic is written ``@name``,
those of group members ``#1``, ``#2`` and so on, as they came. While a coordinator is made or loaded, or a transaction
is not complete, it is asked again.
Answers show the fields that differ from their defaults, and of configs only the dynamic ones. ``records:`` lists what
the metadata log got.

    python -m tests.support.api_scripts FILE...                        compare with this broker
    python -m tests.support.api_scripts --rewrite FILE...              write what this broker answers
    python -m tests.support.api_scripts --against HOST:PORT FILE...    compare with a broker (a fresh single Kafka node)
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import trio

from ottla.errors import ErrorCode
from ottla.ids import uuid_from_text, uuid_text
from ottla.wire.registry import request_class
from ottla.wire.schema import Kind, fields_of, schema_of
from tests.support.memory_broker import MemoryBroker, memory_broker
from tests.support.raw import Connection
from tests.support.scripts import Address, Against, Step, main, parse, unparse

KEYS: Final = {
    "Metadata": 3,
    "OffsetCommit": 8,
    "OffsetFetch": 9,
    "FindCoordinator": 10,
    "JoinGroup": 11,
    "Heartbeat": 12,
    "LeaveGroup": 13,
    "SyncGroup": 14,
    "DescribeGroups": 15,
    "ListGroups": 16,
    "CreateTopics": 19,
    "DeleteTopics": 20,
    "InitProducerId": 22,
    "AddPartitionsToTxn": 24,
    "AddOffsetsToTxn": 25,
    "EndTxn": 26,
    "WriteTxnMarkers": 27,
    "TxnOffsetCommit": 28,
    "DescribeConfigs": 32,
    "CreatePartitions": 37,
    "DeleteGroups": 42,
    "IncrementalAlterConfigs": 44,
    "OffsetDelete": 47,
    "DescribeCluster": 60,
    "DescribeProducers": 61,
    "DescribeTransactions": 65,
    "ListTransactions": 66,
    "DescribeTopicPartitions": 75,
}
NOT_OF_INTEREST: Final = (4, 5)
"""Sources of configs: the file a broker was started with, and defaults."""
ASKED_AGAIN: Final = frozenset(
    (
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.CONCURRENT_TRANSACTIONS,
    )
)
WAIT_S: Final = 20.0
SETTLE_S: Final = 0.5


MADE_UP: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
UNTOLD: Final = ("host", "port", "cluster_id", "throttle_time_ms", "transaction_start_time_ms", "last_timestamp")
UNORDERED: Final = ("results_by_partition", "results_by_topic_v3_and_below", "topic_results")
"""Kafka answers in the order of a hash map."""
MEMBERS: Final = ("leader", "member_id")


class Request(NamedTuple):
    key: int
    version: int
    message: Any


Ask = Callable[[Request], Awaitable[Any]]


class Ids:
    """Topic ids by name and members by number, as answers reveal them."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._members: list[str] = []

    def member_text(self, member_id: str) -> str:
        if not MADE_UP.search(member_id):
            return member_id
        if member_id not in self._members:
            self._members.append(member_id)
        return f"#{self._members.index(member_id) + 1}"

    def member_id(self, text: str) -> str:
        return self._members[int(text[1:]) - 1] if text.startswith("#") else text

    def learn(self, topic_id: bytes, name: str) -> None:
        self._names[uuid_text(topic_id)] = name

    def text(self, topic_id: bytes) -> str:
        text = uuid_text(topic_id)
        name = self._names.get(text)
        return text if name is None else f"@{name}"

    def value(self, text: str) -> bytes:
        if not text.startswith("@"):
            return uuid_from_text(text)
        found = [topic_id for topic_id, name in self._names.items() if name == text[1:]]
        return uuid_from_text(found[-1])


def request_of(command: str, ids: Ids) -> Request:
    name, version, body = command.split(" ", 2)
    key = KEYS[name]
    return Request(key, int(version.removeprefix("v")), _from_json(request_class(key), json.loads(body), ids))


def _from_json(cls: type[Any], body: Mapping[str, Any], ids: Ids) -> Any:
    fields = {field.attribute: field for field in fields_of(cls)}
    values: dict[str, Any] = {}
    for name, value in body.items():
        field = fields[name]
        if value is None:
            values[name] = None
        elif field.struct is not None:
            struct = field.struct
            values[name] = (
                tuple(_from_json(struct, each, ids) for each in value)
                if field.array
                else _from_json(struct, value, ids)
            )
        elif field.kind is Kind.UUID:
            values[name] = ids.value(value)
        elif field.kind is Kind.BYTES:
            values[name] = value.encode("latin-1")
        elif name in MEMBERS:
            values[name] = ids.member_id(value)
        else:
            values[name] = tuple(value) if field.array else value
    return cls(**values)


def _learn(message: Any, ids: Ids) -> None:
    for field in fields_of(message):
        value = getattr(message, field.attribute)
        if field.struct is not None and value is not None:
            for each in value if field.array else (value,):
                _learn(each, ids)
    topic_id, name = getattr(message, "topic_id", b""), getattr(message, "name", None)
    if name and any(topic_id) and getattr(message, "error_code", 0) == 0:
        ids.learn(topic_id, name)


def to_json(message: Any, ids: Ids) -> Any:
    """The fields that differ from their defaults."""
    shown: dict[str, Any] = {}
    for field in fields_of(message):
        value = getattr(message, field.attribute)
        if field.attribute in UNTOLD:
            continue
        if field.struct is not None and value is not None:
            items = [to_json(each, ids) for each in value] if field.array else to_json(value, ids)
            if field.attribute in UNORDERED:
                items.sort(key=lambda each: (each.get("name", ""), each.get("partition_index", 0)))
            if field.attribute == "configs":
                items = [each for each in items if each["config_source"] not in NOT_OF_INTEREST]
                items.sort(key=lambda each: str(each["name"]))
            value = items
        elif field.kind is Kind.BYTES:
            value = None if value is None else value.decode("latin-1")
        elif isinstance(value, bytes):
            value = ids.text(value) if any(value) else None
        elif field.attribute in MEMBERS and isinstance(value, str):
            value = ids.member_text(value)
        elif isinstance(value, tuple):
            value = list(value)
        if value not in (None, [], field.default):
            shown[field.attribute] = value
    return shown


def rendered(answer: Any, ids: Ids) -> str:
    """A line for each element of the answer's lists, a line for the rest."""
    _learn(answer, ids)
    shown = to_json(answer, ids)
    lines = []
    for name, value in list(shown.items()):
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [f"{name}: {json.dumps(each)}" for each in value]
            del shown[name]
    return "\n".join(([json.dumps(shown)] if shown or not lines else []) + lines)


async def play(steps: list[Step], ask: Ask, records: Callable[[], list[object]] | None) -> list[Step]:
    """The steps with the transcripts as they came out."""
    ids, played = Ids(), []
    seen = len(records()) if records else 0
    for step in steps:
        if not step.command:
            played.append(step)
            continue
        lines = [rendered(await _ask_until_there(ask, request_of(step.command, ids)), ids)]
        if records:
            new = records()[seen:]
            seen += len(new)
            lines += [f"records: {_record(each, ids)}" for each in new]
        played.append(step._replace(transcript="\n".join(line for line in lines if line)))
    return played


async def _ask_until_there(ask: Ask, request: Request) -> Any:
    with trio.move_on_after(WAIT_S):
        while True:
            answer = await ask(request)
            if ASKED_AGAIN.isdisjoint(_codes(answer)):
                break
            await trio.sleep(0.05)
    return answer


def _codes(message: Any) -> Iterator[int]:
    for field in fields_of(message):
        value = getattr(message, field.attribute)
        if field.attribute in ("error_code", "partition_error_code"):
            yield value
        elif field.struct is not None and value is not None:
            for each in value if field.array else (value,):
                yield from _codes(each)


def _record(record: Any, ids: Ids) -> str:
    _learn(record, ids)
    shown = to_json(record, ids)
    shown.pop("directories", None)
    return f"{schema_of(record).name} {json.dumps(shown)}"


async def play_in_memory(text: str, settings: Mapping[str, str] | None = None) -> str:
    """The script as the broker in memory plays it."""
    async with memory_broker(settings=settings) as broker:
        broker.client_id = "script"
        return unparse(await play(parse(text), _asking(broker), broker.metadata_records))
    raise AssertionError


def _asking(broker: MemoryBroker) -> Ask:
    async def ask(request: Request) -> Any:
        return await broker.ask(request.message, request.version)

    return ask


async def play_against(text: str, address: Address) -> str:
    """The script as a broker behind a socket plays it; the records of the transcript are left as they are."""
    with Connection(address, "script") as connection:

        async def ask(request: Request) -> Any:
            # Kafka answers when it is committed, and its broker follows.
            await trio.sleep(SETTLE_S if request.key == KEYS["DescribeConfigs"] else 0)
            return connection.ask(request.message, request.version)

        before = parse(text)
        after = await play(before, ask, None)
        kept = []
        for old, new in zip(before, after, strict=True):
            records = [line for line in old.transcript.split("\n") if line.startswith("records: ")]
            kept.append(new._replace(transcript="\n".join([new.transcript, *records])) if new.command else new)
        return unparse(kept)


if __name__ == "__main__":
    raise SystemExit(
        main(
            lambda text: trio.run(play_in_memory, text),
            Against(lambda text, address, _: trio.run(play_against, text, address), shows_all=True),
        )
    )
