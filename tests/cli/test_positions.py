from __future__ import annotations

from collections.abc import Iterator

import pytest

from ottla._core import build_batch
from ottla.cli.client import Address, Client
from ottla.cli.coordination.coordinator import TopicPartition
from ottla.cli.coordination.positions import (
    EARLIEST,
    LARGE_BYTES,
    SMALL_BYTES,
    Ahead,
    ahead_in,
    list_offsets,
    look_ahead,
)
from ottla.errors import ErrorCode
from ottla.wire.k01_fetch import FetchableTopicResponse, FetchRequest, FetchResponse, PartitionData
from tests.cli.fake_broker import FakeBroker

ENDS = {TopicPartition("a", 0): 3, TopicPartition("a", 1): 1}
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


def test_what_is_ahead(client: Client) -> None:
    cluster = client.cluster(["a"])
    ahead = {FIRST: Ahead(100, 1, 2), SECOND: Ahead(300, 1, 1)}
    assert look_ahead(client, cluster, {FIRST: 1, SECOND: 0}, ENDS) == ahead
    assert look_ahead(client, cluster, {FIRST: 2}, ENDS) == {FIRST: Ahead(200, 1, 3)}


def test_a_batch_that_needs_more_room_is_asked_for_again(broker: FakeBroker, client: Client) -> None:
    broker.next_answers[FetchRequest].append(cut)
    ahead = {FIRST: Ahead(100, 2, 2), SECOND: Ahead(300, 1, 1)}
    assert look_ahead(client, client.cluster(["a"]), {FIRST: 0, SECOND: 0}, ENDS) == ahead
    rooms = [
        request.topics[0].partitions[0].partition_max_bytes
        for request in broker.asked
        if isinstance(request, FetchRequest)
    ]
    assert rooms == [SMALL_BYTES, LARGE_BYTES]


def test_what_cannot_be_read_ends(broker: FakeBroker, client: Client) -> None:
    broker.next_answers[FetchRequest].extend([cut] * 10)
    assert look_ahead(client, client.cluster(["a"]), {FIRST: 0, SECOND: 0}, ENDS) == {}


def test_an_offset_out_of_range_is_left_out(client: Client) -> None:
    assert look_ahead(client, client.cluster(["a"]), {FIRST: 7}, ENDS) == {}


def test_what_compaction_has_taken() -> None:
    batch = build_batch([(None, b"x", 100, ()), (None, b"y", 200, ())], base_offset=5)
    assert ahead_in(batch, 5) == (100, 2, 7)
    assert ahead_in(batch, 6) == (200, 1, 7)
    assert ahead_in(batch, 2) == (100, 2, 7)
    assert ahead_in(batch, 7) == (None, 0, 7)
    assert ahead_in(b"", 0) == (None, 0, 0)


def test_markers_are_no_records() -> None:
    data = build_batch([(None, b"x", 100, ())], producer_id=7, producer_epoch=0, base_sequence=0, transactional=True)
    key, value = bytes([0, 0, 0, 1]), bytes(6)
    marker = build_batch(
        [(key, value, 200, ())], base_offset=1, producer_id=7, producer_epoch=0, transactional=True, control=True
    )
    assert ahead_in(data + marker, 0) == (100, 1, 2)
    assert ahead_in(marker, 1) == (None, 0, 2)
