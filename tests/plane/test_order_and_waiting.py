"""What a connection may count on: answers in the order of requests, long polls that wake, nobody in another's way."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from ottla.wire.k03_metadata import MetadataRequest
from ottla.wire.k18_api_versions import ApiVersionsRequest
from ottla.wire.k60_describe_cluster import DescribeClusterRequest
from tests.plane.conftest import MakeTopic, Topic
from tests.plane.requests import (
    fetch_request,
    list_offsets_request,
    produce,
    produce_request,
    produce_values,
)
from tests.support.raw import CLOCK_STEP_MS, Connection, batch, batches_of, values_of

LONG_MS, FAR_BELOW_SECONDS = 30_000, 10.0
INVALID_ACKS, UNKNOWN_TOPIC, UNKNOWN_ID, OUT_OF_RANGE, CORRUPT, INVALID_RECORD = 21, 3, 100, 1, 2, 87


@pytest.mark.parametrize("acks", [1, -1])
@pytest.mark.parametrize("version", range(3, 14))
def test_produce(connection: Connection, make_topic: MakeTopic, acks: int, version: int) -> None:
    topic = make_topic()
    for first in (0, 2, 4):
        result = produce(connection, topic, batch(b"a", b"b"), acks=acks, version=version)
        assert (result.error_code, result.base_offset, result.log_append_time_ms) == (0, first, -1)
        assert result.log_start_offset == (0 if version >= 5 else -1)


def test_produce_without_an_answer(connection: Connection, make_topic: MakeTopic) -> None:
    topic = make_topic()
    for value in (b"a", b"b"):
        connection.send(produce_request(topic, batch(value), acks=0), 13, answered=False)
    answer = connection.ask(list_offsets_request(topic, [-1]), 7)
    assert answer.topics[0].partitions[0].offset == 2


def test_a_failure_without_an_answer_closes_the_connection(connection: Connection, make_topic: MakeTopic) -> None:
    stranger = Topic("nobody-knows-it", bytes(range(16)))
    connection.send(produce_request(stranger, batch(b"a"), acks=0), 12, answered=False)
    assert connection.is_closed_by_peer()


@pytest.mark.parametrize("acks", [2, -2, 32767])
def test_acks_that_do_not_exist(connection: Connection, make_topic: MakeTopic, acks: int) -> None:
    assert produce(connection, make_topic(), batch(b"a"), acks=acks).error_code == INVALID_ACKS


def test_bad_batches(connection: Connection, make_topic: MakeTopic) -> None:
    topic, good = make_topic(), batch(b"a")
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    assert produce(connection, topic, flipped).error_code == CORRUPT
    assert produce(connection, topic, good + good).error_code == INVALID_RECORD
    assert produce(connection, topic, good[:16] + b"\x01" + good[17:]).error_code == INVALID_RECORD
    assert produce(connection, topic, batch(b"a", base_offset=5)).error_code == INVALID_RECORD
    assert produce(connection, topic, batch(b"a"), partition=3).error_code == UNKNOWN_TOPIC
    assert produce_values(connection, topic, b"a") == 0


def test_answers_come_in_the_order_of_requests(connection: Connection, make_topic: MakeTopic) -> None:
    """Of both planes, the quick ones behind slow ones."""
    topic = make_topic()
    sent = []
    for number in range(50):
        sent.append(connection.send(produce_request(topic, batch(b"%d" % number)), 13))
        connection.send(DescribeClusterRequest(), 1)
        connection.send(fetch_request((topic, 0, number), max_wait_ms=5), 13)
        connection.send(MetadataRequest(topics=()), 12)
        connection.send(ApiVersionsRequest(client_software_name="raw", client_software_version="1"), 3)
    for number in range(50):
        produced = connection.receive()
        assert produced.responses[0].partition_responses[0].base_offset == number
        assert len(connection.receive().brokers) == 1
        fetched = values_of(batches_of(connection.receive().responses[0].partitions[0].records))
        assert fetched[0] == b"%d" % number
        assert connection.receive().topics == ()
        assert connection.receive().error_code == 0


def test_a_request_behind_a_long_poll_waits_for_it(connect: Callable[[], Connection], make_topic: MakeTopic) -> None:
    reader, writer = connect(), connect()
    topic = make_topic()
    reader.send(fetch_request((topic, 0, 0), max_wait_ms=LONG_MS), 13)
    reader.send(DescribeClusterRequest(), 1)
    assert not reader.has_answer(0.1)
    produce_values(writer, topic, b"a")
    assert values_of(batches_of(reader.receive().responses[0].partitions[0].records)) == [b"a"]
    assert reader.receive().error_code == 0


@pytest.mark.parametrize("acks", [1, -1])
def test_a_long_poll_is_woken_by_a_produce(connect: Callable[[], Connection], make_topic: MakeTopic, acks: int) -> None:
    reader, writer = connect(), connect()
    topic = make_topic(2)
    for number in range(20):
        begun = time.monotonic()
        wanted = ((topic, 0, 0), (topic, 1, number))
        reader.send(fetch_request(*wanted, max_wait_ms=LONG_MS), 13)
        produce_values(writer, topic, b"%d" % number, partition=1, acks=acks)
        answer = reader.receive()
        values = [
            value for part in answer.responses for p in part.partitions for value in values_of(batches_of(p.records))
        ]
        assert values == [b"%d" % number]
        assert time.monotonic() - begun < FAR_BELOW_SECONDS


def test_a_long_poll_ends_empty(connection: Connection, make_topic: MakeTopic) -> None:
    topic = make_topic()
    begun = time.monotonic()
    answer = connection.ask(fetch_request((topic, 0, 0), max_wait_ms=200), 13)
    assert (time.monotonic() - begun) * 1000 >= 200 - CLOCK_STEP_MS
    assert [p.records or b"" for p in answer.responses[0].partitions] == [b""]


def test_min_bytes(connect: Callable[[], Connection], make_topic: MakeTopic) -> None:
    reader, writer = connect(), connect()
    topic, records = make_topic(), batch(b"x" * 1000)
    produce(writer, topic, records)
    begun = time.monotonic()
    reader.send(fetch_request((topic, 0, 0), max_wait_ms=LONG_MS, min_bytes=3 * len(records)), 13)
    assert not reader.has_answer(0.1)
    produce(writer, topic, records)
    assert not reader.has_answer(0.1)
    produce(writer, topic, records)
    answer = reader.receive()
    assert time.monotonic() - begun < FAR_BELOW_SECONDS
    assert len(answer.responses[0].partitions[0].records) == 3 * len(records)


def test_min_bytes_of_several_partitions(connect: Callable[[], Connection], make_topic: MakeTopic) -> None:
    reader, writer = connect(), connect()
    one, two, records = make_topic(), make_topic(), batch(b"x" * 1000)
    reader.send(fetch_request((one, 0, 0), (two, 0, 0), max_wait_ms=LONG_MS, min_bytes=2 * len(records)), 13)
    produce(writer, one, records)
    assert not reader.has_answer(0.1)
    produce(writer, two, records)
    assert [len(t.partitions[0].records) for t in reader.receive().responses] == [len(records)] * 2


def test_min_bytes_is_capped_by_max_bytes(connection: Connection, make_topic: MakeTopic) -> None:
    topic = make_topic()
    produce_values(connection, topic, b"x" * 1000)
    begun = time.monotonic()
    connection.ask(fetch_request((topic, 0, 0), max_wait_ms=LONG_MS, min_bytes=1 << 30, max_bytes=500), 13)
    assert time.monotonic() - begun < FAR_BELOW_SECONDS


def test_an_error_is_not_waited_for(connection: Connection, make_topic: MakeTopic) -> None:
    one, two = make_topic(), make_topic()
    begun = time.monotonic()
    answer = connection.ask(fetch_request((one, 0, 0), (two, 0, 100), max_wait_ms=LONG_MS), 13)
    assert time.monotonic() - begun < FAR_BELOW_SECONDS
    assert {t.topic_id: t.partitions[0].error_code for t in answer.responses} == {one.id: 0, two.id: OUT_OF_RANGE}


@pytest.mark.parametrize("version", [12, 13])
def test_what_does_not_exist_does_not_hurry_the_others(
    connect: Callable[[], Connection], make_topic: MakeTopic, version: int
) -> None:
    """Else a consumer of a topic that is gone would ask without a pause."""
    reader, writer = connect(), connect()
    topic, stranger = make_topic(), Topic("nobody-knows-it", bytes(range(16)))
    wanted = ((topic, 0, 0), (topic, 5, 0), (stranger, 0, 0))
    begun = time.monotonic()
    answer = reader.ask(fetch_request(*wanted, max_wait_ms=200), version)
    assert (time.monotonic() - begun) * 1000 >= 200 - CLOCK_STEP_MS
    codes = sorted(p.error_code for t in answer.responses for p in t.partitions)
    assert codes == sorted([0, UNKNOWN_TOPIC, UNKNOWN_TOPIC if version < 13 else UNKNOWN_ID])

    begun = time.monotonic()
    reader.send(fetch_request(*wanted, max_wait_ms=LONG_MS), version)
    produce_values(writer, topic, b"a")
    reader.receive()
    reader.ask(fetch_request((topic, 5, 0), (stranger, 0, 0), max_wait_ms=LONG_MS), version)
    assert time.monotonic() - begun < FAR_BELOW_SECONDS


def test_the_first_batch_comes_whole(connection: Connection, make_topic: MakeTopic) -> None:
    """However small the limits are (KIP-74)."""
    one, two = make_topic(), make_topic()
    big = batch(b"x" * 5000)
    for topic in (one, two):
        produce(connection, topic, big)
        produce(connection, topic, big)
    answer = connection.ask(fetch_request((one, 0, 0), (two, 0, 0), partition_bytes=10, max_bytes=10), 13)
    sizes = {t.topic_id: len(t.partitions[0].records or b"") for t in answer.responses}
    assert sizes == {one.id: len(big), two.id: 0}
    middle = connection.ask(fetch_request((one, 0, 0), partition_bytes=len(big) + 100), 13)
    assert len(batches_of(middle.responses[0].partitions[0].records)) == 1


def test_a_deleted_topic_ends_the_long_poll(connect: Callable[[], Connection], make_topic: MakeTopic) -> None:
    from ottla.wire.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState

    reader, admin = connect(), connect()
    topic = make_topic()
    begun = time.monotonic()
    reader.send(fetch_request((topic, 0, 0), max_wait_ms=LONG_MS), 13)
    assert not reader.has_answer(0.1)
    admin.ask(DeleteTopicsRequest(topics=(DeleteTopicState(name=topic.name),), timeout_ms=30_000), 6)
    answer = reader.receive()
    assert time.monotonic() - begun < FAR_BELOW_SECONDS
    assert answer.responses[0].partitions[0].error_code != 0


def test_connections_that_say_nothing(connect: Callable[[], Connection], make_topic: MakeTopic) -> None:
    """Idle ones, half a length, half a frame: none is in another's way, and each goes on where it was."""
    topic = make_topic()
    idle, half_length, half_frame, busy = connect(), connect(), connect(), connect()
    half_length.send_bytes(b"\0\0")
    half_frame.send_bytes((100).to_bytes(4) + b"\0\x12\0\x03")
    for number in range(20):
        assert produce_values(busy, topic, b"x") == number
    assert idle.ask(DescribeClusterRequest(), 1).error_code == 0
    half_length.send_bytes((14 - 1).to_bytes(2) + b"\0\x12\0\0" + (9).to_bytes(4) + b"\0\x03raw")
    assert half_length.receive_frame()[:6] == (9).to_bytes(4) + b"\0\0"


@pytest.mark.parametrize("length", [-1, -(2**31), 2**31 - 1, 100 * 1024 * 1024 + 1])
def test_lengths_that_lie(connect: Callable[[], Connection], length: int) -> None:
    bystander, liar = connect(), connect()
    liar.send_bytes(length.to_bytes(4, signed=True))
    assert liar.is_closed_by_peer()
    assert bystander.ask(DescribeClusterRequest(), 1).error_code == 0


def test_bodies_that_are_none(connect: Callable[[], Connection]) -> None:
    bystander = connect()
    for key, version in ((0, 9), (1, 12), (2, 7), (3, 12), (19, 7), (23, 4), (60, 0), (75, 0)):
        liar = connect()
        header = key.to_bytes(2) + version.to_bytes(2) + (1).to_bytes(4) + b"\0\x03raw\0"
        liar.send_frame(header + b"\xff" * 9)
        assert liar.is_closed_by_peer(), key
    assert bystander.ask(DescribeClusterRequest(), 1).error_code == 0
