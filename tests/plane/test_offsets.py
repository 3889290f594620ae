"""ListOffsets with every timestamp that means something, OffsetForLeaderEpoch, and what Fetch says beside a log."""

from __future__ import annotations

import pytest

from ottla.wire.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from ottla.wire.k23_offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from tests.plane.conftest import MakeTopic, Topic
from tests.plane.requests import fetch_request, list_offsets_request, produce, produce_values
from tests.support.raw import Connection, batch

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING = -1, -2, -3, -4, -5, -6
FROM_VERSION = {LATEST: 1, EARLIEST: 1, MAX_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9, EARLIEST_PENDING: 11}
UNSUPPORTED_VERSION, INVALID_REQUEST, UNKNOWN_TOPIC = 35, 42, 3
UNKNOWN_EPOCH, OUT_OF_RANGE = 75, 1
TIME = 1_700_000_000_000


def ask(connection: Connection, topic: Topic, timestamp: int, version: int = 11) -> tuple[int, int, int, int]:
    (answer,) = connection.ask(list_offsets_request(topic, [timestamp]), version).topics
    (found,) = answer.partitions
    return (found.error_code, found.offset, found.timestamp, found.leader_epoch)


@pytest.fixture
def filled(connection: Connection, make_topic: MakeTopic) -> Topic:
    """Offsets 0 to 6; the newest record is offset 3, in the middle of a batch."""
    topic = make_topic()
    produce(connection, topic, batch(b"0", b"1", timestamp_ms=TIME, step_ms=100))
    produce(connection, topic, batch(b"2", b"3", timestamp_ms=TIME + 300, step_ms=5_000))
    produce(connection, topic, batch(b"4", b"5", b"6", timestamp_ms=TIME + 400, step_ms=100))
    return topic


@pytest.mark.parametrize("version", range(1, 12))
@pytest.mark.parametrize("timestamp", FROM_VERSION)
def test_special_timestamps(connection: Connection, filled: Topic, timestamp: int, version: int) -> None:
    if version < FROM_VERSION[timestamp]:
        assert ask(connection, filled, timestamp, version) == (UNSUPPORTED_VERSION, -1, -1, -1)
        return
    epoch = 0 if version >= 4 else -1
    expected = {
        LATEST: (0, 7, -1, epoch),
        EARLIEST: (0, 0, -1, epoch),
        MAX_TIMESTAMP: (0, 3, TIME + 5_300, epoch),
        EARLIEST_LOCAL: (0, 0, -1, epoch),
        LATEST_TIERED: (0, -1, -1, -1),
        EARLIEST_PENDING: (0, -1, -1, -1),
    }[timestamp]
    assert ask(connection, filled, timestamp, version) == expected


@pytest.mark.parametrize("timestamp", FROM_VERSION)
def test_special_timestamps_of_an_empty_log(connection: Connection, make_topic: MakeTopic, timestamp: int) -> None:
    error, offset, at, epoch = ask(connection, make_topic(), timestamp)
    nothing = timestamp in (MAX_TIMESTAMP, LATEST_TIERED, EARLIEST_PENDING)
    assert (error, offset, at) == (0, -1 if nothing else 0, -1)
    assert epoch in ((-1,) if nothing else (-1, 0))


@pytest.mark.parametrize("timestamp", [-7, -100, -(2**63)])
def test_unknown_specials(connection: Connection, filled: Topic, timestamp: int) -> None:
    assert ask(connection, filled, timestamp) == (UNSUPPORTED_VERSION, -1, -1, -1)


@pytest.mark.parametrize(
    ("timestamp", "offset", "at"),
    [
        (0, 0, 0),
        (TIME, 0, 0),
        (TIME + 1, 1, 100),
        (TIME + 100, 1, 100),
        (TIME + 101, 2, 300),
        (TIME + 301, 3, 5_300),
        (TIME + 5_300, 3, 5_300),
        (TIME + 5_301, -1, None),
        (2**63 - 1, -1, None),
    ],
)
@pytest.mark.parametrize("version", [1, 4, 11])
def test_by_time(
    connection: Connection, filled: Topic, timestamp: int, offset: int, at: int | None, version: int
) -> None:
    expected = (0, offset, -1 if at is None else TIME + at, 0 if at is not None and version >= 4 else -1)
    assert ask(connection, filled, timestamp, version) == expected


@pytest.mark.parametrize("codec", range(5))
def test_by_time_inside_a_compressed_batch(connection: Connection, make_topic: MakeTopic, codec: int) -> None:
    topic = make_topic()
    produce(connection, topic, batch(*[b"x" * 50] * 100, timestamp_ms=TIME, step_ms=10, codec=codec))
    assert ask(connection, topic, TIME + 495) == (0, 50, TIME + 500, 0)
    assert ask(connection, topic, MAX_TIMESTAMP) == (0, 99, TIME + 990, 0)


def test_the_first_of_equal_newest_records(connection: Connection, make_topic: MakeTopic) -> None:
    topic = make_topic()
    for _ in range(2):
        produce(connection, topic, batch(b"a", b"b", b"c", timestamp_ms=TIME))
    assert ask(connection, topic, MAX_TIMESTAMP) == (0, 0, TIME, 0)


def test_by_time_where_the_broker_sets_it(connection: Connection, make_topic: MakeTopic) -> None:
    topic = make_topic(message_timestamp_type="LogAppendTime")
    appended = produce(connection, topic, batch(b"a", b"b", b"c", timestamp_ms=5))
    at = appended.log_append_time_ms
    assert at > TIME
    assert ask(connection, topic, at) == (0, 0, at, 0)
    assert ask(connection, topic, 5) == (0, 0, at, 0)
    assert ask(connection, topic, at + 1) == (0, -1, -1, -1)


@pytest.mark.parametrize("isolation_level", [0, 1])
def test_latest_by_isolation(connection: Connection, filled: Topic, isolation_level: int) -> None:
    request = list_offsets_request(filled, [LATEST], isolation_level=isolation_level)
    assert connection.ask(request, 11).topics[0].partitions[0].offset == 7


def test_partitions_that_are_wrong(connection: Connection, filled: Topic) -> None:
    partitions = (
        ListOffsetsPartition(partition_index=0, timestamp=LATEST, current_leader_epoch=0),
        ListOffsetsPartition(partition_index=9, timestamp=LATEST),
    )
    topics = (ListOffsetsTopic(name=filled.name, partitions=partitions),)
    (answer,) = connection.ask(ListOffsetsRequest(replica_id=-1, topics=topics), 11).topics
    assert {p.partition_index: p.error_code for p in answer.partitions} == {0: 0, 9: UNKNOWN_TOPIC}

    twice = (ListOffsetsPartition(partition_index=0, timestamp=LATEST),) * 2
    topics = (ListOffsetsTopic(name=filled.name, partitions=twice),)
    (answer,) = connection.ask(ListOffsetsRequest(replica_id=-1, topics=topics), 11).topics
    assert {p.error_code for p in answer.partitions} == {INVALID_REQUEST}

    ahead = (ListOffsetsPartition(partition_index=0, timestamp=LATEST, current_leader_epoch=5),)
    topics = (ListOffsetsTopic(name=filled.name, partitions=ahead),)
    (answer,) = connection.ask(ListOffsetsRequest(replica_id=-1, topics=topics), 11).topics
    assert [p.error_code for p in answer.partitions] == [UNKNOWN_EPOCH]


@pytest.mark.parametrize("version", [2, 3, 4])
def test_ends_of_leader_epochs(connection: Connection, filled: Topic, version: int) -> None:
    def end_of(epoch: int, current: int = -1, name: str = filled.name, index: int = 0) -> tuple[int, int, int]:
        partition = OffsetForLeaderPartition(partition=index, leader_epoch=epoch, current_leader_epoch=current)
        request = OffsetForLeaderEpochRequest(
            replica_id=-1, topics=(OffsetForLeaderTopic(topic=name, partitions=(partition,)),)
        )
        ((found,),) = (topic.partitions for topic in connection.ask(request, version).topics)
        return (found.error_code, found.leader_epoch, found.end_offset)

    assert end_of(0) == (0, 0, 7)
    assert end_of(0, current=0) == (0, 0, 7)
    assert end_of(5) == (0, -1, -1)
    assert end_of(-1) == (0, -1, -1)
    assert end_of(0, current=3) == (UNKNOWN_EPOCH, -1, -1)
    assert end_of(0, name="nobody-knows-it") == (UNKNOWN_TOPIC, -1, -1)
    assert end_of(0, index=4) == (UNKNOWN_TOPIC, -1, -1)


@pytest.mark.parametrize("version", range(4, 19))
def test_fetch_says_where_the_log_is(connection: Connection, filled: Topic, version: int) -> None:
    def at(offset: int) -> tuple[int, int, int, int]:
        answer = connection.ask(fetch_request((filled, 0, offset)), version)
        ((part,),) = (topic.partitions for topic in answer.responses)
        return (part.error_code, part.high_watermark, part.last_stable_offset, part.log_start_offset)

    start = 0 if version >= 5 else -1
    assert at(0) == at(6) == at(7) == (0, 7, 7, start)
    assert at(8) == at(-1) == (OUT_OF_RANGE, -1, -1, -1)
    assert produce_values(connection, filled, b"7") == 7
