"""The face every client shows to the scenarios.

A scenario is written once, in Kafka's words; each client's folder says how its own API does it. None for an option
means that the client's own default stands: default settings are what most programs run with.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol, final

from compat_support.folders import module

WAIT_S = 30.0
"""For one operation of a client, generous: the machine may be busy."""


@final
@dataclass(frozen=True, slots=True)
class Record:
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Received:
    partition: int
    offset: int
    timestamp_ms: int
    record: Record
    """Its timestamp is that of the broker; `bare` is without it."""

    @property
    def bare(self) -> Record:
        return Record(self.record.key, self.record.value, self.record.headers)


@final
@dataclass(frozen=True, slots=True)
class AtOffset:
    offset: int


@final
@dataclass(frozen=True, slots=True)
class AtTimestamp:
    timestamp_ms: int


@final
@dataclass(frozen=True, slots=True)
class Beginning:
    pass


Start = Beginning | AtOffset | AtTimestamp


@final
@dataclass(frozen=True, slots=True)
class ProduceOptions:
    codec: str | None = None
    acks: str | None = None
    idempotent: bool | None = None


@final
@dataclass(frozen=True, slots=True)
class Cluster:
    cluster_id: str
    brokers: frozenset[str] = field(default_factory=frozenset)
    """host:port of each."""


class Code(IntEnum):
    """The error codes of the scenarios."""

    OFFSET_OUT_OF_RANGE = 1
    UNKNOWN_TOPIC_OR_PARTITION = 3
    MESSAGE_TOO_LARGE = 10
    INVALID_TOPIC = 17
    TOPIC_ALREADY_EXISTS = 36
    INVALID_PARTITIONS = 37
    INVALID_REPLICATION_FACTOR = 38
    INVALID_CONFIG = 40


@final
class Refused(Exception):
    """The broker answered with an error code; `code` is what the client made of it."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(f"error {code}: {message}")
        self.code = code


class Client(Protocol):
    """All methods block, and raise Refused when the broker answers with an error."""

    def create_topic(self, topic: str, *, partitions: int = 1, configs: Mapping[str, str] | None = None) -> None: ...

    def delete_topic(self, topic: str) -> None: ...

    def add_partitions(self, topic: str, total: int) -> None: ...

    def topics(self) -> set[str]: ...

    def partitions(self, topic: str) -> int: ...

    def topic_config(self, topic: str) -> Mapping[str, str | None]:
        """Every setting of a topic, defaults included."""

    def cluster(self) -> Cluster: ...

    def produce(
        self, topic: str, records: Sequence[Record], options: ProduceOptions, *, partition: int | None = 0
    ) -> list[int]:
        """The offsets, in the order of the records. With acks=0 they mean nothing. partition=None: by key."""

    def consume(self, topic: str, start: Start, count: int, *, partitions: Sequence[int] = (0,)) -> list[Received]:
        """The next `count` records from `start`, without a group."""

    def consume_from_end(self, topic: str, then: Callable[[], object], count: int) -> list[Received]:
        """Take place at the end of partition 0, run `then`, and read `count` records."""

    def offsets(self, topic: str) -> tuple[int, int]:
        """First offset and end offset of partition 0."""

    def offset_at(self, topic: str, timestamp_ms: int) -> int | None:
        """The first offset of partition 0 whose timestamp is not before this; None if there is none."""


@final
class Patient:
    """A client of a broker whose topics become visible some time after it answered, as Apache Kafka's do."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def create_topic(self, topic: str, *, partitions: int = 1, configs: Mapping[str, str] | None = None) -> None:
        self._client.create_topic(topic, partitions=partitions, configs=configs)
        self._until(lambda: topic in self._client.topics() and self._client.partitions(topic) == partitions)

    def add_partitions(self, topic: str, total: int) -> None:
        self._client.add_partitions(topic, total)
        self._until(lambda: self._client.partitions(topic) == total)

    def delete_topic(self, topic: str) -> None:
        self._client.delete_topic(topic)
        self._until(lambda: topic not in self._client.topics())

    @staticmethod
    def _until(visible: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not visible():
            assert time.monotonic() < deadline, f"the change is not visible after {WAIT_S:g} s"
            time.sleep(0.02)  # another process: nothing in Kafka's protocol tells when a change is visible


def connect(folder: str, bootstrap: str) -> Client:
    """The client in `compat-tests/<folder>/client.py`."""
    client: Client = module(folder, "client").connect(bootstrap)
    return client
