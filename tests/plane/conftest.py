"""The broker under test, and topics on it."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import pytest

from ottla.testing import Broker
from ottla.wire.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from ottla.wire.k03_metadata import MetadataRequest, MetadataRequestTopic
from ottla.wire.k19_create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from ottla.wire.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from tests.support.raw import Connection

ELSEWHERE: Final = os.environ.get("OTTLA_TEST_BOOTSTRAP")


@dataclass(frozen=True)
class Topic:
    name: str
    id: bytes


class MakeTopic(Protocol):
    def __call__(self, partitions: int = 1, /, **config: object) -> Topic: ...


@pytest.fixture(scope="session")
def bootstrap(request: pytest.FixtureRequest) -> str:
    """Where the broker under test is."""
    if ELSEWHERE is not None:
        return ELSEWHERE
    broker: Broker = request.getfixturevalue("kafka_broker_session")
    return broker.bootstrap_servers


@pytest.fixture
def connect(bootstrap: str) -> Iterator[Callable[[], Connection]]:
    """Opens connections, and closes them at the end."""
    opened: list[Connection] = []

    def open_one() -> Connection:
        opened.append(Connection(bootstrap))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def connection(connect: Callable[[], Connection]) -> Connection:
    """One connection, opened before the topics of the test."""
    return connect()


@pytest.fixture
def make_name(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Names of topics that do not exist."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name).strip("-")[:64]
    return lambda: f"{words}-{secrets.token_hex(4)}"


@pytest.fixture
def make_topic(bootstrap: str, make_name: Callable[[], str]) -> Iterator[MakeTopic]:
    """Makes topics by requests. Ours are usable when that is answered; another broker gets the time it takes."""
    made: list[str] = []
    with Connection(bootstrap) as admin:

        def make(partitions: int = 1, /, **config: object) -> Topic:
            name = make_name()
            configs = tuple(
                CreatableTopicConfig(name=key.replace("_", "."), value=str(value)) for key, value in config.items()
            )
            topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1, configs=configs)
            (result,) = admin.ask(CreateTopicsRequest(topics=(topic,), timeout_ms=30_000), 7).topics
            assert result.error_code == 0, result.error_message
            made.append(name)
            if ELSEWHERE is not None:
                _wait_for_leaders(admin, name, partitions)
            return Topic(name, result.topic_id)

        yield make
        doomed = tuple(DeleteTopicState(name=name) for name in made)
        admin.ask(DeleteTopicsRequest(topics=doomed, timeout_ms=30_000), 6)


def _wait_for_leaders(connection: Connection, name: str, partitions: int) -> None:
    request = MetadataRequest(topics=(MetadataRequestTopic(name=name),), allow_auto_topic_creation=False)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        (topic,) = connection.ask(request, 12).topics
        latest = tuple(ListOffsetsPartition(partition_index=index, timestamp=-1) for index in range(partitions))
        offsets = ListOffsetsRequest(replica_id=-1, topics=(ListOffsetsTopic(name=name, partitions=latest),))
        (led,) = connection.ask(offsets, 7).topics
        if [p.error_code for p in (*topic.partitions, *led.partitions)] == [0] * 2 * partitions:
            return
        time.sleep(0.05)  # another process: Kafka tells nobody when a topic is led, it has to be asked again
    pytest.fail(f"{name} got no leaders")
