"""Metadata in every version: all topics, named ones, ids, unknown ones, those that are made by asking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ottla.wire.k03_metadata import MetadataRequest, MetadataRequestTopic
from ottla.wire.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from tests.plane.conftest import ELSEWHERE, MakeTopic, Topic
from tests.support.raw import Connection

UNKNOWN_TOPIC, INVALID_TOPIC, UNKNOWN_ID, INVALID_REQUEST = 3, 17, 100, 42
NO_OPERATIONS = -2147483648
TOPIC_OPERATIONS = sum(1 << bit for bit in (3, 4, 5, 6, 7, 8, 10, 11))


def named(*names: str, create: bool = False, **fields: Any) -> MetadataRequest:
    topics = tuple(MetadataRequestTopic(name=name) for name in names)
    return MetadataRequest(topics=topics, allow_auto_topic_creation=create, **fields)


def by_id(*ids: bytes) -> MetadataRequest:
    topics = tuple(MetadataRequestTopic(topic_id=topic_id, name=None) for topic_id in ids)
    return MetadataRequest(topics=topics, allow_auto_topic_creation=False)


@pytest.mark.parametrize("version", range(14))
def test_every_version(connection: Connection, bootstrap: str, make_topic: MakeTopic, version: int) -> None:
    topic = make_topic(3)
    request = MetadataRequest(topics=(MetadataRequestTopic(name=topic.name),))
    answer = connection.ask(request, version)
    host, _, port = bootstrap.rpartition(":")
    (broker,) = answer.brokers
    assert (broker.host, broker.port, broker.rack) == (host, int(port), None)
    (found,) = answer.topics
    assert (found.error_code, found.name, found.is_internal) == (0, topic.name, False)
    assert sorted(p.partition_index for p in found.partitions) == [0, 1, 2]
    for partition in found.partitions:
        assert partition.error_code == 0
        assert partition.leader_id == broker.node_id
        assert partition.replica_nodes == partition.isr_nodes == (broker.node_id,)
        assert partition.offline_replicas == ()
        assert partition.leader_epoch == (0 if version >= 7 else -1)
    assert found.topic_id == (topic.id if version >= 10 else bytes(16))
    assert found.topic_authorized_operations == NO_OPERATIONS
    assert answer.cluster_authorized_operations == NO_OPERATIONS
    assert (answer.cluster_id is not None) == (version >= 2)
    assert answer.controller_id == (broker.node_id if version >= 1 else -1)
    assert answer.error_code == 0


@pytest.mark.parametrize("version", range(14))
def test_all_topics_and_none(connection: Connection, make_topic: MakeTopic, version: int) -> None:
    name = make_topic().name
    everything = connection.ask(MetadataRequest(topics=None if version else ()), version)
    assert name in {topic.name for topic in everything.topics}
    if version:
        assert connection.ask(MetadataRequest(topics=()), version).topics == ()


@pytest.mark.parametrize("version", range(4, 14))
def test_unknown_topics(connection: Connection, make_name: Callable[[], str], version: int) -> None:
    name = make_name()
    (found,) = connection.ask(named(name), version).topics
    assert (found.error_code, found.name, found.partitions) == (UNKNOWN_TOPIC, name, ())


@pytest.mark.parametrize("version", range(14))
def test_asking_makes_a_topic(connection: Connection, make_name: Callable[[], str], version: int) -> None:
    name = make_name()
    request = MetadataRequest(topics=(MetadataRequestTopic(name=name),))
    (found,) = connection.ask(request, version).topics
    assert found.name == name
    assert found.error_code in (0, 3, 5)
    if ELSEWHERE is None:
        (again,) = connection.ask(request, version).topics
        assert (again.error_code, len(again.partitions)) == (0, 1)
    doomed = DeleteTopicsRequest(topics=(DeleteTopicState(name=name),), timeout_ms=10_000)
    connection.ask(doomed, 6)


@pytest.mark.parametrize("version", [0, 1, 3, 4, 8, 12, 13])
@pytest.mark.parametrize("name", ["", ".", "..", "a b", "ä", "x" * 250], ids=lambda name: name[:3])
def test_invalid_names(connection: Connection, name: str, version: int) -> None:
    request = MetadataRequest(topics=(MetadataRequestTopic(name=name),))
    (found,) = connection.ask(request, version).topics
    assert (found.error_code, found.name, found.partitions) == (INVALID_TOPIC, name, ())


@pytest.mark.parametrize("version", [12, 13])
def test_by_id(connection: Connection, make_topic: MakeTopic, version: int) -> None:
    one, two = make_topic(), make_topic(2)
    stranger = bytes(range(16))
    answer = connection.ask(by_id(one.id, stranger, two.id), version)
    found = {topic.topic_id: topic for topic in answer.topics}
    assert (found[one.id].name, len(found[one.id].partitions)) == (one.name, 1)
    assert (found[two.id].name, len(found[two.id].partitions)) == (two.name, 2)
    assert (found[stranger].error_code, found[stranger].name) == (UNKNOWN_ID, None)


@pytest.mark.parametrize("version", [10, 11])
def test_ids_are_refused_where_they_are_not_yet(connection: Connection, make_topic: MakeTopic, version: int) -> None:
    topic = make_topic()
    answer = connection.ask(by_id(topic.id), version)
    (found,) = answer.topics
    assert (found.error_code, found.name, found.topic_id) == (INVALID_REQUEST, "", topic.id)
    assert (answer.brokers, answer.cluster_id, answer.controller_id) == ((), None, -1)


@pytest.mark.parametrize("version", [12, 13])
def test_ids_win_over_names(connection: Connection, make_topic: MakeTopic, version: int) -> None:
    one, two = make_topic(), make_topic()
    mixed = MetadataRequest(
        topics=(MetadataRequestTopic(name=two.name), MetadataRequestTopic(topic_id=one.id, name=None)),
        allow_auto_topic_creation=False,
    )
    assert [topic.name for topic in connection.ask(mixed, version).topics] == [one.name]


def test_operations_when_asked(connection: Connection, make_topic: MakeTopic) -> None:
    request = named(
        make_topic().name, include_cluster_authorized_operations=True, include_topic_authorized_operations=True
    )
    answer = connection.ask(request, 8)
    assert answer.topics[0].topic_authorized_operations == TOPIC_OPERATIONS
    assert answer.cluster_authorized_operations == sum(1 << bit for bit in (5, 7, 8, 9, 10, 11, 12))


def test_operations_of_what_does_not_exist(connection: Connection, make_name: Callable[[], str]) -> None:
    request = named(make_name(), "a b", include_topic_authorized_operations=True)
    operations = {topic.topic_authorized_operations for topic in connection.ask(request, 12).topics}
    assert operations == {TOPIC_OPERATIONS}


def test_internal_topics_are_internal_before_they_exist(connection: Connection) -> None:
    """None of our tests makes them."""
    names = ["__share_group_state", "__transaction_state"]
    answer = connection.ask(named(*names), 12)
    assert {topic.name: (topic.error_code, topic.is_internal) for topic in answer.topics} == dict.fromkeys(
        names, (UNKNOWN_TOPIC, True)
    )


def test_a_name_is_answered_once(connection: Connection, make_topic: MakeTopic) -> None:
    topic: Topic = make_topic()
    answer = connection.ask(named(topic.name, topic.name), 12)
    assert [found.name for found in answer.topics] == [topic.name]
