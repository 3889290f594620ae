"""Fixtures of pytest: a broker for one test, one for the whole session, topics that are usable at once.

    def test_orders(kafka_broker_session, kafka_topic):
        topic = kafka_topic(partitions=3)
        producer = KafkaProducer(bootstrap_servers=kafka_broker_session.bootstrap_servers)

Installed with Ottla and found by pytest. What it costs those who do not use it: this file and nothing that it imports,
since the broker is imported by the first fixture that starts one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from ottla.testing.broker import Broker

__all__ = ["TopicFactory", "kafka_broker", "kafka_broker_config", "kafka_broker_session", "kafka_topic"]


class TopicFactory(Protocol):
    """What the fixture ``kafka_topic`` gives."""

    def __call__(
        self, *, partitions: int = 1, config: Mapping[str, object] | None = None, broker: Broker | None = None
    ) -> str:
        """Makes a topic on ``broker``, else on the broker of the session; its name, which no other has. Every client
        can use it when this returns; it is deleted after the test."""


@pytest.fixture(scope="session")
def kafka_broker_config() -> Mapping[str, object]:
    """Settings of the brokers of the other fixtures, by Kafka's names. To be overridden in a conftest."""
    return {}


@pytest.fixture
def kafka_broker(kafka_broker_config: Mapping[str, object]) -> Iterator[Broker]:
    """A running broker for this test alone, empty: ``kafka_broker.bootstrap_servers``."""
    from ottla.testing.broker import Broker

    with Broker(config=kafka_broker_config) as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka_broker_session(kafka_broker_config: Mapping[str, object]) -> Iterator[Broker]:
    """A running broker for all tests of the session, which keep apart by their topics (``kafka_topic``)."""
    from ottla.testing.broker import Broker

    with Broker(config=kafka_broker_config) as broker:
        yield broker


@pytest.fixture
def kafka_topic(request: pytest.FixtureRequest) -> Iterator[TopicFactory]:
    """Makes topics: ``kafka_topic(partitions=3, config={"cleanup.policy": "compact"})`` is the name of a new one."""
    made: list[tuple[Broker, str]] = []

    def make(*, partitions: int = 1, config: Mapping[str, object] | None = None, broker: Broker | None = None) -> str:
        if broker is None:
            broker = request.getfixturevalue("kafka_broker_session")
        name = _unique_name(request.node.name)
        broker.create_topic(name, partitions, config=config)
        made.append((broker, name))
        return name

    yield make
    _delete(made)


def _unique_name(test: str) -> str:
    """Says which test it is of, in letters that topics may have."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", test).strip("-")[:64]
    return f"{words}-{secrets.token_hex(4)}"


def _delete(made: list[tuple[Broker, str]]) -> None:
    from ottla.testing.thread import BrokerError

    for broker, name in reversed(made):
        try:
            broker.delete_topic(name)
        except BrokerError:
            # The test stopped its broker, or deleted the topic itself: then there is nothing left to do.
            continue
