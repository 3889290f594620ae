"""The metadata as groups see it."""

from __future__ import annotations

from typing import Any

from ottla.config.load import EMBEDDED
from ottla.config.values import BrokerConfig
from ottla.groups.consumer.config import GroupSettings
from ottla.groups.metadata import GroupMetadata, group_settings
from ottla.metadata.delta import Delta
from ottla.metadata.image import Image, Provenance
from ottla.records.cluster_metadata import (
    ConfigRecord,
    PartitionRecord,
    RegisterBrokerRecord,
    RemoveTopicRecord,
    TopicRecord,
)

A, B = (bytes(15) + bytes([number]) for number in (1, 2))


def config(**written: str) -> BrokerConfig:
    return BrokerConfig({**dict(EMBEDDED), **{name.replace("_", "."): value for name, value in written.items()}})


class Cluster:
    """Metadata that grows by records."""

    def __init__(self) -> None:
        self.config = config()
        self.groups = GroupMetadata(self.config)
        self._image = Image()

    def publish(self, *records: object) -> Any:
        delta = Delta(self._image)
        delta.replay_all(records)
        self._image = delta.apply(Provenance(offset=self._image.provenance.offset + len(records)))
        return self.groups.publish(delta, self._image, self.config)


def partition(topic_id: bytes, partition_id: int, *replicas: int) -> PartitionRecord:
    return PartitionRecord(
        partition_id=partition_id, topic_id=topic_id, replicas=replicas, isr=replicas, leader=replicas[0]
    )


def test_topics_come_grow_and_go() -> None:
    cluster = Cluster()
    groups = cluster.groups
    changed = cluster.publish(TopicRecord(name="a", topic_id=A), partition(A, 0, 1))
    assert (set(changed.names), changed.created) == ({"a"}, True)
    version = groups.version
    first = groups.hashes.of_group(("a",))
    assert first != 0

    changed = cluster.publish(partition(A, 1, 1))
    assert (set(changed.names), changed.created) == ({"a"}, False)
    assert groups.version > version
    topic = groups.named("a")
    assert topic is not None
    assert (topic.partition_count, topic == groups.with_id(A)) == (2, True)
    assert groups.hashes.of_group(("a",)) != first

    names = groups.names()
    changed = cluster.publish(RemoveTopicRecord(topic_id=A))
    assert (set(changed.names), changed.created) == ({"a"}, False)
    assert (groups.named("a"), groups.with_id(A), groups.hashes.of_group(("a",))) == (None, None, 0)
    assert list(names) == ["a"], "names that were given stay as they are"


def test_racks_are_those_of_replicas_that_have_one() -> None:
    cluster = Cluster()
    cluster.publish(TopicRecord(name="a", topic_id=A), partition(A, 0, 1, 2), partition(A, 1, 2, 3))
    topic = cluster.groups.named("a")
    assert topic is not None
    assert cluster.groups.racks_of(topic) == ()
    without = cluster.groups.hashes.of_group(("a",))

    brokers = (RegisterBrokerRecord(broker_id=number, rack=rack) for number, rack in ((1, "x"), (2, None), (3, "y")))
    cluster.publish(*brokers, TopicRecord(name="b", topic_id=B), partition(B, 0, 1))
    assert cluster.groups.racks_of(topic) == [["x"], ["y"]]
    assert cluster.groups.hashes.of_group(("a",)) == without, "looked at when the topic changes, as Kafka does"


def test_a_group_has_what_it_sets_within_the_brokers_bounds() -> None:
    cluster = Cluster()
    assert cluster.groups.settings("g") == GroupSettings()
    names = ("consumer.heartbeat.interval.ms", "consumer.session.timeout.ms", "consumer.assignment.interval.ms")
    cluster.publish(
        *(
            ConfigRecord(resource_type=32, resource_name="g", name=name, value=value)
            for name, value in zip(names, ("6000", "1000000", "0"), strict=True)
        )
    )
    assert cluster.groups.settings("g") == GroupSettings(60_000, 6_000, 0)
    assert cluster.groups.settings("other") == GroupSettings()
    cluster.publish(ConfigRecord(resource_type=32, resource_name="g", name=names[1], value=None))
    assert cluster.groups.settings("g").session_timeout_ms == 45_000


def test_a_group_without_settings_has_the_brokers() -> None:
    broker = config(group_consumer_session_timeout_ms="50000")
    assert group_settings(broker, {}).session_timeout_ms == 50_000
