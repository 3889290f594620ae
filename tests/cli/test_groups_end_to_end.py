"""`ottla groups` against a broker that runs, with a client that is not ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from confluent_kafka import Consumer, TopicPartition
from ottla.testing import Broker
from ottla.testing.pytest_plugin import TopicFactory
from tests.cli.run import Ended, run

ASSIGNED_WITHIN_S = 30.0


class Ottla:
    """The commands, on the broker of the session."""

    def __init__(self, broker: Broker, patch: pytest.MonkeyPatch) -> None:
        self._broker = broker
        self._patch = patch

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Ended:
        return run(self._patch, *arguments, "-b", self._broker.bootstrap_servers, stdin=stdin)

    def facts(self, *arguments: str) -> list[Any]:
        ended = self("groups", *arguments, "--json")
        assert ended.code == 0, ended
        return [json.loads(line) for line in ended.out.splitlines()]

    def consumer(self, group: str, **settings: object) -> Consumer:
        given: dict[str, Any] = {
            "bootstrap.servers": self._broker.bootstrap_servers,
            "group.id": group,
            "client.id": "reader",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
        return Consumer(given | settings)


@pytest.fixture
def ottla(kafka_broker_session: Broker, monkeypatch: pytest.MonkeyPatch) -> Ottla:
    return Ottla(kafka_broker_session, monkeypatch)


def test_the_life_of_a_group(ottla: Ottla, kafka_topic: TopicFactory) -> None:
    topic = kafka_topic(partitions=2)
    group = f"life-of-{topic}"
    assert ottla("produce", topic, "-p", "1", stdin=b"a\nb\nc\n").code == 0
    consumer = ottla.consumer(group)
    consumer.commit(offsets=[TopicPartition(topic, 0, 0), TopicPartition(topic, 1, 1)], asynchronous=False)
    consumer.close()
    assert {"group": group, "type": "classic", "state": "Empty", "protocol": None} in ottla.facts("list")
    assert [line["offset"] for line in ottla.facts("offsets", group)] == [0, 1]
    lags = ottla.facts("lag", group)
    assert [(line["end"], line["lag"]) for line in lags] == [(0, 0), (3, 2)]
    assert lags[0]["seconds"] == 0.0
    assert 0.0 <= lags[1]["seconds"] < 600.0
    planned = ottla("groups", "reset", group, "--to-latest")
    assert (planned.code, planned.err) == (0, "nothing was changed: --execute does it\n")
    assert [line["offset"] for line in ottla.facts("offsets", group)] == [0, 1]
    assert ottla("groups", "reset", group, "--to-latest", "--execute").code == 0
    assert [line["lag"] for line in ottla.facts("lag", group)] == [0, 0]
    assert ottla("groups", "delete", group, "--topic", f"{topic}:0") == Ended(0, f"deleted {group} {topic}-0\n", "")
    assert [line["partition"] for line in ottla.facts("offsets", group)] == [1]
    assert ottla("groups", "delete", group) == Ended(0, f"deleted {group}\n", "")
    assert ottla("groups", "describe", group).code == 1


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_group_with_a_member(ottla: Ottla, kafka_topic: TopicFactory, protocol: str) -> None:
    topic = kafka_topic(partitions=2)
    group = f"member-of-{topic}"
    assert ottla("produce", topic, "-p", "0", stdin=b"a\nb\n").code == 0
    consumer = ottla.consumer(group, **{"group.protocol": protocol})
    consumer.subscribe([topic])
    message = consumer.poll(ASSIGNED_WITHIN_S)
    assert message is not None
    assert message.error() is None
    try:
        (described,) = ottla.facts("describe", group)
        assert (described["type"], described["state"], described["coordinator"]) == (protocol, "Stable", 1)
        (member,) = described["members"]
        assert (member["client"], len(member["assigned"])) == ("reader", 2)
        lags = ottla.facts("lag", group)
        assert [(line["offset"], line["end"], line["lag"]) for line in lags] == [(None, 2, None), (None, 0, 0)]
        consumer.commit(message=message, asynchronous=False)
        assert [(line["offset"], line["lag"]) for line in ottla.facts("lag", group)] == [(1, 1), (None, 0)]
        refused = ottla("groups", "reset", group, "--to-latest", "--execute")
        assert (refused.code, f"group {group} has members" in refused.err) == (1, True)
        refused = ottla("groups", "delete", group)
        assert (refused.code, f"group {group} has members" in refused.err) == (1, True)
    finally:
        consumer.close()
    assert ottla("groups", "delete", group).code == 0


def test_where_a_group_goes_on_after_a_reset(ottla: Ottla, kafka_topic: TopicFactory) -> None:
    topic = kafka_topic()
    group = f"reset-of-{topic}"
    assert ottla("produce", topic, stdin=b"a\nb\nc\nd\n").code == 0
    assert ottla("groups", "reset", group, "--topic", topic, "--to-offset", "1", "--execute").code == 0
    assert ottla("groups", "reset", group, "--shift-by", "1", "--execute").code == 0
    consumer = ottla.consumer(group)
    consumer.subscribe([topic])
    message = consumer.poll(ASSIGNED_WITHIN_S)
    consumer.close()
    assert message is not None
    assert (message.offset(), message.value()) == (2, b"c")
