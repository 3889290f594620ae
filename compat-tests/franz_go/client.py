"""franz-go, through the Go program beside this file: one process for each operation."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, final

from benchmarks.processes import piped, run
from benchmarks.toolchain import go_program

from compat_support.client import (
    WAIT_S,
    AtOffset,
    AtTimestamp,
    Client,
    Cluster,
    ProduceOptions,
    Received,
    Record,
    Refused,
    Start,
)

END = -1


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


@final
class FranzGo:
    def __init__(self, program: Path, bootstrap: str) -> None:
        self._program = program
        self._bootstrap = bootstrap

    def create_topic(self, topic: str, *, partitions: int = 1, configs: Mapping[str, str] | None = None) -> None:
        self._call("create", topic=topic, total=partitions, configs=json.dumps(dict(configs or {})))

    def delete_topic(self, topic: str) -> None:
        self._call("delete", topic=topic)

    def add_partitions(self, topic: str, total: int) -> None:
        self._call("add-partitions", topic=topic, total=total)

    def topics(self) -> set[str]:
        return set(self._call("topics"))

    def partitions(self, topic: str) -> int:
        found: int = self._call("topics")[topic]
        return found

    def topic_config(self, topic: str) -> Mapping[str, str | None]:
        found: Mapping[str, str | None] = self._call("topic-config", topic=topic)
        return found

    def cluster(self) -> Cluster:
        found = self._call("cluster")
        return Cluster(found["cluster_id"], frozenset(found["brokers"]))

    def produce(
        self, topic: str, records: Sequence[Record], options: ProduceOptions, *, partition: int | None = 0
    ) -> list[int]:
        lines = [
            {
                "key": _base64(r.key),
                "value": _base64(r.value),
                "headers": [{"key": key, "value": _base64(value)} for key, value in r.headers],
                "timestamp_ms": r.timestamp_ms,
            }
            for r in records
        ]
        chosen = {
            "codec": options.codec or "",
            "acks": options.acks or "",
            "idempotent": "" if options.idempotent is None else str(options.idempotent).lower(),
        }
        where = -1 if partition is None else partition
        text = "\n".join(map(json.dumps, lines))
        offsets: list[int] = self._call("produce", text, topic=topic, partitions=where, **chosen)
        return offsets

    def consume(self, topic: str, start: Start, count: int, *, partitions: Sequence[int] = (0,)) -> list[Received]:
        where: dict[str, str | int] = {"partitions": ",".join(map(str, partitions))}
        match start:
            case AtOffset(offset):
                where["offset"] = offset
            case AtTimestamp(timestamp_ms):
                where["timestamp"] = timestamp_ms
        return [self._received(r) for r in self._call("consume", topic=topic, count=count, **where)]

    def consume_from_end(self, topic: str, then: Callable[[], object], count: int) -> list[Received]:
        argv = self._argv("consume", {"topic": topic, "count": count, "offset": END})
        with piped(argv, timeout_s=WAIT_S) as (process, _, stdout):
            assert stdout.readline().strip() == "positioned"
            then()
            printed, said = process.communicate(timeout=WAIT_S)
            assert process.returncode == 0, said
        return [self._received(r) for r in self._answer(printed)]

    def offsets(self, topic: str) -> tuple[int, int]:
        first, end = self._call("offsets", topic=topic)
        return first, end

    def offset_at(self, topic: str, timestamp_ms: int) -> int | None:
        found: int | None = self._call("offset-at", topic=topic, timestamp=timestamp_ms)
        return found

    def _argv(self, operation: str, flags: Mapping[str, str | int]) -> list[str]:
        words = [f"-{name.replace('_', '-')}={value}" for name, value in flags.items()]
        return [str(self._program), operation, f"-bootstrap={self._bootstrap}", *words]

    def _call(self, operation: str, stdin: str | None = None, **flags: str | int) -> Any:
        return self._answer(run(self._argv(operation, flags), timeout_s=WAIT_S + 5, stdin=stdin))

    @staticmethod
    def _answer(printed: str) -> Any:
        answer = json.loads(printed.strip().splitlines()[-1])
        if isinstance(answer, dict) and "code" in answer:
            raise Refused(answer["code"], answer["message"])
        return answer

    @staticmethod
    def _received(r: Mapping[str, Any]) -> Received:
        headers = tuple((h["key"], _bytes(h["value"]) or b"") for h in r["headers"] or ())
        record = Record(_bytes(r["key"]), _bytes(r["value"]), headers, r["timestamp_ms"])
        return Received(r["partition"], r["offset"], r["timestamp_ms"], record)


def connect(bootstrap: str) -> Client:
    return FranzGo(go_program(Path(__file__).parent, "franzgo"), bootstrap)
