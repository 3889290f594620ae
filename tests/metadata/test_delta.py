from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.metadata.delta import Delta, MetadataError, merge
from ottla.metadata.image import Image, Partition, Provenance
from ottla.metadata.records import MetadataCodec
from ottla.metadata.snapshot import chunks, image_records
from ottla.records import cluster_metadata as r
from tests.metadata.histories import histories

ID = bytes(15) + b"\x07"
CODEC = MetadataCodec()


def image_of(records: list[object], before: Image | None = None) -> Image:
    delta = Delta(before or Image())
    delta.replay_all(records)
    return delta.apply(Provenance())


@given(histories())
def test_snapshot_of_an_image_gives_it_back(records: list[object]) -> None:
    image = image_of(records)
    written = [CODEC.encode(record, 33) for record in image_records(image)]

    assert image_of([CODEC.decode(value) for value in written]) == image


@given(histories(), st.data())
def test_cutting_a_history_into_deltas_changes_nothing(records: list[object], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(records)))
    again = data.draw(st.integers(cut, len(records)))
    first = image_of(records[:cut])
    copy = image_of(records[:cut])

    assert image_of(records[again:], image_of(records[cut:again], first)) == image_of(records)
    assert first == copy, "an image never changes"


def test_leader_epoch_rises_with_the_leader_and_partition_epoch_always() -> None:
    partition: Partition = ((1, 2), (1, 2), (), (), 1, 0, 4, 9, (b"a" * 16, b"b" * 16), (), ())

    shrunk = merge(partition, r.PartitionChangeRecord(partition_id=0, topic_id=ID, isr=(1,)))
    assert (shrunk[1], shrunk[4], shrunk[6], shrunk[7]) == ((1,), 1, 4, 10)
    same_leader = merge(partition, r.PartitionChangeRecord(partition_id=0, topic_id=ID, leader=1))
    assert (same_leader[4], same_leader[6], same_leader[7]) == (1, 5, 10)
    nobody = merge(partition, r.PartitionChangeRecord(partition_id=0, topic_id=ID, leader=-1))
    assert (nobody[4], nobody[6], nobody[7]) == (-1, 5, 10)


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([r.PartitionRecord(partition_id=0, topic_id=ID)], "no topic with id"),
        ([r.TopicRecord(name="a", topic_id=ID)] * 2, "used twice"),
        ([r.TopicRecord(name="a", topic_id=ID), r.PartitionRecord(partition_id=1, topic_id=ID)], "none numbered 0"),
        ([r.TopicRecord(name="a", topic_id=ID), r.PartitionChangeRecord(partition_id=0, topic_id=ID)], "no partition"),
        ([r.RemoveTopicRecord(topic_id=ID)], "no topic with id"),
        ([r.BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=5)], "not registered"),
        ([r.ClearElrRecord(topic_name="a")], "no topic named"),
        ([object()], "no metadata record"),
    ],
)
def test_refuses_what_cannot_be(records: list[object], words: str) -> None:
    with pytest.raises(MetadataError, match=words):
        image_of(records)


def test_a_change_of_one_topic_in_many_is_cheap() -> None:
    """200,000 partitions in 4,000 topics: copying them would cost tens of milliseconds a change."""
    ids = [index.to_bytes(16, "big") for index in range(1000, 5000)]
    records: list[object] = []
    for topic_id in ids:
        records.append(r.TopicRecord(name=topic_id.hex(), topic_id=topic_id))
        records += [
            r.PartitionRecord(partition_id=index, topic_id=topic_id, replicas=(1,), isr=(1,), leader=1)
            for index in range(50)
        ]
    image = image_of(records)
    best_ms = float("inf")
    for topic_id in ids[:20]:
        begin = time.perf_counter()
        image = image_of([r.PartitionChangeRecord(partition_id=3, topic_id=topic_id, isr=())], image)
        best_ms = min(best_ms, (time.perf_counter() - begin) * 1000)

    print(f"one change in 200,000 partitions: {best_ms:.3f} ms")
    assert best_ms < 5


@given(st.lists(st.binary(max_size=9)), st.integers(1, 5), st.integers(1, 20))
def test_chunks_hold_everything_in_order_within_bounds(values: list[bytes], records_max: int, bytes_max: int) -> None:
    cut = list(chunks(values, records_max, bytes_max))

    assert [value for chunk in cut for value in chunk] == values
    for chunk in cut:
        assert 0 < len(chunk) <= records_max
        assert len(chunk) == 1 or sum(map(len, chunk)) <= bytes_max
