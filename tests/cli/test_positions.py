from __future__ import annotations

from collections.abc import Iterator

import pytest

from ottla._core import build_batch
from ottla.cli.client import Address, Client
from ottla.cli.coordination.coordinator import TopicPartition
from ottla.cli.coordination.positions import EARLIEST, LARGE_BYTES, SMALL_BYTES, list_offsets, record_times, time_at
from ottla.errors import ErrorCode
from ottla.wire.k01_fetch import FetchableTopicResponse, FetchRequest, FetchResponse, PartitionData
from tests.cli.fake_broker import FakeBroker

FIRST, SECOND, GONE = TopicPartition("a", 0), TopicPartition("a", 1), TopicPartition("b", 0)


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker({"a": 2}) as broker:
        broker.store("a", 0, b"x", b"y", timestamp_ms=100)
        broker.store("a", 0, b"z", timestamp_ms=200)
        broker.store("a", 1, b"x", timestamp_ms=300)
        yield broker


@pytest.fixture
def client(broker: FakeBroker) -> Iterator[Client]:
    with Client([Address("127.0.0.1", broker.port)], "test", 5.0) as client:
        yield client


def cut(request: FetchRequest) -> FetchResponse:
    """No partition has room for its batch, as where that is large and others came first."""
    return FetchResponse(
        responses=tuple(
            FetchableTopicResponse(
                topic=topic.topic,
                topic_id=topic.topic_id,
                partitions=tuple(
                    PartitionData(partition_index=asked.partition, high_watermark=9, records=b"")
                    for asked in topic.partitions
                ),
            )
            for topic in request.topics
        )
    )


def test_offsets_of_what_is_there_and_of_what_is_not(client: Client) -> None:
    answers = list_offsets(client, client.cluster(["a", "b"]), [FIRST, GONE], EARLIEST)
    assert answers == ({FIRST: 0}, {GONE: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION})


def test_times_of_records(client: Client) -> None:
    cluster = client.cluster(["a"])
    assert record_times(client, cluster, {FIRST: 1, SECOND: 0}).found == {FIRST: 100, SECOND: 300}
    assert record_times(client, cluster, {FIRST: 2}).found == {FIRST: 200}


def test_a_batch_that_needs_more_room_is_asked_for_again(broker: FakeBroker, client: Client) -> None:
    broker.next_answers[FetchRequest].append(cut)
    assert record_times(client, client.cluster(["a"]), {FIRST: 0, SECOND: 0}).found == {FIRST: 100, SECOND: 300}
    rooms = [
        request.topics[0].partitions[0].partition_max_bytes
        for request in broker.asked
        if isinstance(request, FetchRequest)
    ]
    assert rooms == [SMALL_BYTES, LARGE_BYTES]


def test_what_cannot_be_read_ends(broker: FakeBroker, client: Client) -> None:
    broker.next_answers[FetchRequest].extend([cut] * 10)
    answers = record_times(client, client.cluster(["a"]), {FIRST: 0, SECOND: 0})
    assert answers == ({}, {})


def test_an_offset_out_of_range_is_refused(client: Client) -> None:
    answers = record_times(client, client.cluster(["a"]), {FIRST: 7})
    assert answers == ({}, {FIRST: ErrorCode.OFFSET_OUT_OF_RANGE})


def test_the_time_of_what_compaction_has_taken() -> None:
    batch = build_batch([(None, b"x", 100, ()), (None, b"y", 200, ())], base_offset=5)
    assert time_at(batch, 5) == 100
    assert time_at(batch, 6) == 200
    assert time_at(batch, 2) == 100
    assert time_at(batch, 7) is None
    assert time_at(b"", 0) is None
