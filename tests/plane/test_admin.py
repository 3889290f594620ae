"""Topics made, grown and deleted by one connection are so on every other at once; and what describes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ottla.wire.k03_metadata import MetadataRequest, MetadataRequestTopic
from ottla.wire.k19_create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from ottla.wire.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.wire.k32_describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from ottla.wire.k35_describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest
from ottla.wire.k37_create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from ottla.wire.k60_describe_cluster import DescribeClusterRequest
from ottla.wire.k75_describe_topic_partitions import Cursor, DescribeTopicPartitionsRequest, TopicRequest
from tests.plane.conftest import ELSEWHERE, MakeTopic, Topic
from tests.plane.requests import fetch_request, produce, produce_values
from tests.support.raw import Connection, batch, batches_of, values_of

at_once = pytest.mark.skipif(ELSEWHERE is not None, reason="Kafka answers before every broker knows of a topic")
UNKNOWN_TOPIC, UNKNOWN_ID, TOPIC_EXISTS, INVALID_PARTITIONS, INVALID_REPLICATION = 3, 100, 36, 37, 38
INVALID_CONFIG, INVALID_REQUEST, INVALID_TOPIC = 40, 42, 17


def create(connection: Connection, *topics: CreatableTopic, version: int = 7, **fields: Any) -> Any:
    return connection.ask(CreateTopicsRequest(topics=topics, timeout_ms=30_000, **fields), version)


def new(name: str, partitions: int = 1, factor: int = 1, **config: str) -> CreatableTopic:
    configs = tuple(CreatableTopicConfig(name=key.replace("_", "."), value=value) for key, value in config.items())
    return CreatableTopic(name=name, num_partitions=partitions, replication_factor=factor, configs=configs)


def delete(connection: Connection, *names: str, version: int = 6) -> dict[str, int]:
    if version >= 6:
        request = DeleteTopicsRequest(topics=tuple(DeleteTopicState(name=name) for name in names), timeout_ms=30_000)
    else:
        request = DeleteTopicsRequest(topic_names=names, timeout_ms=30_000)
    return {result.name: result.error_code for result in connection.ask(request, version).responses}


@at_once
def test_a_new_topic_is_usable_on_a_connection_that_was_there_before(
    connect: Callable[[], Connection], make_name: Callable[[], str]
) -> None:
    admin, client = connect(), connect()
    for version in range(2, 8):
        name = make_name()
        client.ask(MetadataRequest(topics=(MetadataRequestTopic(name=name),), allow_auto_topic_creation=False), 12)
        (result,) = create(admin, new(name, 5), version=version).topics
        assert result.error_code == 0
        topic = Topic(name, result.topic_id)
        for partition in range(5):
            produced = produce(client, topic, batch(b"x"), partition=partition, version=12)
            assert (produced.error_code, produced.base_offset) == (0, 0)
        (told,) = client.ask(MetadataRequest(topics=(MetadataRequestTopic(name=name),)), 12).topics
        assert [p.error_code for p in told.partitions] == [0] * 5
        assert delete(admin, name) == {name: 0}
        gone = produce(client, topic, batch(b"x"), version=12)
        assert gone.error_code == UNKNOWN_TOPIC


@at_once
def test_a_topic_made_again_is_another(connect: Callable[[], Connection], make_name: Callable[[], str]) -> None:
    admin, client, name = connect(), connect(), make_name()
    (first,) = create(admin, new(name)).topics
    produce_values(client, Topic(name, first.topic_id), b"old")
    delete(admin, name)
    (second,) = create(admin, new(name)).topics
    assert second.topic_id != first.topic_id
    old, now = Topic(name, first.topic_id), Topic(name, second.topic_id)
    assert produce(client, old, batch(b"x")).error_code == UNKNOWN_ID
    assert produce_values(client, now, b"new") == 0
    answer = client.ask(fetch_request((now, 0, 0)), 13)
    assert values_of(batches_of(answer.responses[0].partitions[0].records)) == [b"new"]
    delete(admin, name)


@at_once
def test_new_partitions_are_usable_at_once(connect: Callable[[], Connection], make_topic: MakeTopic) -> None:
    admin, client = connect(), connect()
    topic = make_topic(1)
    assert produce(client, topic, batch(b"x"), partition=1).error_code == UNKNOWN_TOPIC
    for count, version in ((2, 0), (4, 1), (8, 2), (20, 3)):
        request = CreatePartitionsRequest(
            topics=(CreatePartitionsTopic(name=topic.name, count=count, assignments=None),), timeout_ms=30_000
        )
        (result,) = admin.ask(request, version).results
        assert (result.name, result.error_code) == (topic.name, 0)
        assert produce_values(client, topic, b"x", partition=count - 1) == 0


def test_what_cannot_be_created(connection: Connection, make_topic: MakeTopic, make_name: Callable[[], str]) -> None:
    known, name = make_topic().name, make_name()
    manual = CreatableTopic(
        name=name + "-m",
        num_partitions=1,
        replication_factor=-1,
        assignments=(CreatableReplicaAssignment(partition_index=0, broker_ids=(1,)),),
    )
    answer = create(
        connection,
        new(known),
        new(name + "-p", 0),
        new(name + "-r", 1, 3),
        new(name + "-c", cleanup_policy="shred"),
        new(name + "-u", no_such_key="1"),
        new("not legal"),
        new(name + "-d"),
        new(name + "-d"),
        manual,
    )
    assert {topic.name: topic.error_code for topic in answer.topics} == {
        known: TOPIC_EXISTS,
        name + "-p": INVALID_PARTITIONS,
        name + "-r": INVALID_REPLICATION,
        name + "-c": INVALID_CONFIG,
        name + "-u": INVALID_CONFIG,
        "not legal": INVALID_TOPIC,
        name + "-d": INVALID_REQUEST,
        name + "-m": INVALID_REQUEST,
    }
    assert all(topic.error_message for topic in answer.topics)
    assert delete(connection, name + "-d", name + "-m") == dict.fromkeys([name + "-d", name + "-m"], UNKNOWN_TOPIC)


def test_a_trial_creates_nothing(connection: Connection, make_name: Callable[[], str]) -> None:
    name = make_name()
    (result,) = create(connection, new(name, 4, cleanup_policy="compact"), validate_only=True).topics
    assert (result.error_code, result.num_partitions, result.replication_factor) == (0, 4, 1)
    assert {config.name: config.value for config in result.configs}["cleanup.policy"] == "compact"
    assert delete(connection, name) == {name: UNKNOWN_TOPIC}


@pytest.mark.parametrize("version", range(1, 7))
def test_deleting(connection: Connection, make_topic: MakeTopic, version: int) -> None:
    name = make_topic().name
    assert delete(connection, name, "nobody-knows-it", version=version) == {name: 0, "nobody-knows-it": UNKNOWN_TOPIC}


def test_deleting_by_id(connection: Connection, make_topic: MakeTopic) -> None:
    topic = make_topic()
    states = (DeleteTopicState(name=None, topic_id=topic.id), DeleteTopicState(name=None, topic_id=bytes([7] * 16)))
    answer = connection.ask(DeleteTopicsRequest(topics=states, timeout_ms=30_000), 6)
    assert {result.topic_id: (result.name, result.error_code) for result in answer.responses} == {
        topic.id: (topic.name, 0),
        bytes([7] * 16): (None, UNKNOWN_ID),
    }


def test_what_cannot_grow(connection: Connection, make_topic: MakeTopic) -> None:
    topic = make_topic(3)
    for count in (3, 2, 0, -1):
        wanted = (CreatePartitionsTopic(name=topic.name, count=count, assignments=None),)
        (result,) = connection.ask(CreatePartitionsRequest(topics=wanted, timeout_ms=30_000), 3).results
        assert result.error_code == INVALID_PARTITIONS, count
    wanted = (CreatePartitionsTopic(name="nobody-knows-it", count=2, assignments=None),)
    (result,) = connection.ask(CreatePartitionsRequest(topics=wanted, timeout_ms=30_000), 3).results
    assert result.error_code == UNKNOWN_TOPIC


@pytest.mark.parametrize("version", range(3))
def test_the_cluster(connection: Connection, bootstrap: str, version: int) -> None:
    answer = connection.ask(DescribeClusterRequest(include_cluster_authorized_operations=True), version)
    host, _, port = bootstrap.rpartition(":")
    assert answer.error_code == 0
    assert [(b.host, b.port, b.rack, b.is_fenced) for b in answer.brokers] == [(host, int(port), None, False)]
    assert answer.controller_id == answer.brokers[0].broker_id
    known = connection.ask(MetadataRequest(topics=()), 12)
    assert answer.cluster_id == known.cluster_id
    assert answer.cluster_authorized_operations == sum(1 << bit for bit in (5, 7, 8, 9, 10, 11, 12))


def test_the_partitions_of_topics(connection: Connection, make_topic: MakeTopic) -> None:
    one, two = sorted((make_topic(3), make_topic(3)), key=lambda topic: topic.name)
    names = tuple(TopicRequest(name=name) for name in (two.name, one.name, "~nobody"))

    def ask(limit: int, cursor: Cursor | None) -> Any:
        request = DescribeTopicPartitionsRequest(topics=names, response_partition_limit=limit, cursor=cursor)
        return connection.ask(request, 0)

    whole = ask(2000, None)
    assert whole.next_cursor is None
    assert {t.name: (t.error_code, t.topic_id, len(t.partitions)) for t in whole.topics} == {
        one.name: (0, one.id, 3),
        two.name: (0, two.id, 3),
        "~nobody": (INVALID_TOPIC, bytes(16), 0),
    }
    pages, cursor = [], None
    while True:
        page = ask(2, cursor)
        pages += [(t.name, p.partition_index) for t in page.topics for p in t.partitions]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert pages == [(name, index) for name in (one.name, two.name) for index in range(3)]


@pytest.mark.parametrize("version", range(1, 6))
def test_the_log_directories(connection: Connection, make_topic: MakeTopic, version: int) -> None:
    topic = make_topic(2)
    produce_values(connection, topic, b"x" * 1000)
    wanted = (DescribableLogDirTopic(topic=topic.name, partitions=(0, 1)),)
    answer = connection.ask(DescribeLogDirsRequest(topics=wanted), version)
    (directory,) = answer.results
    assert (answer.error_code, directory.error_code) == (0, 0)
    assert directory.log_dir.startswith("/")
    ((name, partitions),) = ((found.name, found.partitions) for found in directory.topics)
    assert name == topic.name
    sizes = {p.partition_index: p.partition_size for p in partitions}
    assert sizes[0] > 1000
    assert sizes[1] == 0
    assert {(p.offset_lag, p.is_future_key) for p in partitions} == {(0, False)}
    assert (directory.total_bytes >= directory.usable_bytes > 0) == (version >= 4)

    everything = connection.ask(DescribeLogDirsRequest(topics=None), version)
    assert topic.name in {found.name for found in everything.results[0].topics}


@pytest.mark.parametrize("version", range(1, 5))
def test_configs_of_a_topic(connection: Connection, make_topic: MakeTopic, version: int) -> None:
    topic = make_topic(1, retention_ms=12345)
    resource = DescribeConfigsResource(
        resource_type=2, resource_name=topic.name, configuration_keys=("retention.ms", "index.interval.bytes")
    )
    (result,) = connection.ask(DescribeConfigsRequest(resources=(resource,)), version).results
    assert result.error_code == 0
    assert {c.name: (c.value, c.config_source) for c in result.configs} == {
        "retention.ms": ("12345", 1),
        "index.interval.bytes": ("4096", 5),
    }
