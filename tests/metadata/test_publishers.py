from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from ottla.config.topic import TopicSettings
from ottla.controller.configs import BrokerTopicConfigs
from ottla.metadata.delta import Delta
from ottla.metadata.image import Image, Provenance
from ottla.metadata.publishers import LocalBroker, view_delta
from ottla.metadata.view import BrokerView, PartitionView, ViewDelta
from ottla.records import cluster_metadata as r
from tests.metadata.histories import histories
from tests.support.memory_broker import config

LOCAL = LocalBroker(1, frozenset({"PLAINTEXT"}), 1)
CONFIGS = BrokerTopicConfigs(config({}))
ID = bytes(15) + b"\x07"


class View:
    """What a data plane would hold: the dumb model."""

    def __init__(self) -> None:
        self.topics: dict[bytes, tuple[str, bool, dict[int, PartitionView], TopicSettings]] = {}
        self.brokers: dict[int, BrokerView] = {}
        self.features: Mapping[str, int] = {}
        self.led: dict[tuple[bytes, int], tuple[int, int]] = {}

    def apply(self, delta: ViewDelta) -> None:
        for topic_id in delta.removed_topic_ids:
            del self.topics[topic_id]
        for topic in delta.topics:
            known = self.topics.get(topic.topic_id)
            partitions = {} if known is None else dict(known[2])
            partitions.update({view[0]: view for view in topic.partitions})
            settings = topic.settings or (known and known[3])
            assert settings is not None, "a new topic comes with its settings"
            assert len(partitions) == topic.partition_count
            self.topics[topic.topic_id] = (topic.name, topic.internal, partitions, settings)
        for broker in delta.brokers:
            self.brokers[broker.broker_id] = broker
        for broker_id in delta.removed_broker_ids:
            del self.brokers[broker_id]
        self.features = self.features if delta.features is None else delta.features
        for stop in delta.stop:
            self.led.pop((stop.topic_id, stop.partition), None)
        for lead in delta.lead:
            self.led[lead.topic_id, lead.partition] = (lead.leader_epoch, lead.partition_epoch)


@given(histories(), st.data())
def test_deltas_one_after_another_give_the_view_of_the_whole(records: list[object], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=5)))
    image, stepped = Image(), View()
    for begin, end in zip([0, *cuts], [*cuts, len(records)], strict=True):
        delta = Delta(image)
        delta.replay_all(records[begin:end])
        image = delta.apply(Provenance(end))
        stepped.apply(view_delta(delta, image, LOCAL, CONFIGS.settings))

    whole = View()
    delta = Delta(Image())
    delta.replay_all(records)
    whole.apply(view_delta(delta, delta.apply(Provenance()), LOCAL, CONFIGS.settings))
    assert stepped.topics == whole.topics
    assert stepped.brokers == whole.brokers
    assert stepped.features == whole.features
    assert stepped.led == whole.led
    assert stepped.led.keys() == {
        (topic.topic_id, index)
        for topic in image.topics.by_id.values()
        for index, partition in enumerate(topic.partitions)
        if partition[4] == 1
    }


def test_deleting_a_topic_deletes_its_logs_and_a_new_one_of_its_name_is_another() -> None:
    created: list[object] = [
        r.TopicRecord(name="a", topic_id=ID),
        r.PartitionRecord(partition_id=0, topic_id=ID, replicas=(1,), isr=(1,), leader=1, directories=(b"d" * 16,)),
    ]
    first = Delta(Image())
    first.replay_all(created)
    image = first.apply(Provenance(1))
    second = Delta(image)
    other = ID[:-1] + b"\x08"
    second.replay_all([r.RemoveTopicRecord(topic_id=ID), r.TopicRecord(name="a", topic_id=other)])
    second.replay(r.PartitionRecord(partition_id=0, topic_id=other, replicas=(1,), isr=(1,), leader=1))

    view = view_delta(second, second.apply(Provenance(2)), LOCAL, CONFIGS.settings)

    assert [(stop.topic_id, stop.partition, stop.delete) for stop in view.stop] == [(ID, 0, True)]
    assert [(lead.topic_id, lead.partition) for lead in view.lead] == [(other, 0)]
    assert view.removed_topic_ids == [ID]
    assert not view.is_empty()


def test_records_that_concern_nobody_make_an_empty_view() -> None:
    delta = Delta(Image())
    delta.replay(r.NoOpRecord())

    assert view_delta(delta, delta.apply(Provenance(0)), LOCAL, CONFIGS.settings).is_empty()
