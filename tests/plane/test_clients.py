"""Two clients that people use, with their default settings: records go to disk and back unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka import TopicPartition as KafkaTopicPartition

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from tests.plane.conftest import MakeTopic

CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
TIME: Final = 1_700_000_000_000
PATIENCE_SECONDS: Final = 60


class Sent(NamedTuple):
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: tuple[tuple[str, bytes | None], ...]


RECORDS: Final = (
    Sent(b"key", b"value", TIME, ()),
    Sent(None, b"no key", TIME + 1, ()),
    Sent(b"no value", None, TIME + 2, ()),
    Sent(None, None, TIME + 3, ()),
    Sent(b"", b"", TIME + 4, ()),
    Sent(b"k", b"headers", TIME + 5, (("a", b"1"), ("a", b"2"), ("", b""), ("größe".encode().decode(), b"\x00\xff"))),
    Sent(b"k", b"compressible " * 5000, TIME + 7, (("trace", b"x" * 100),)),
    *(Sent(b"%d" % number, b"value %d" % number, TIME + 10 + number, ()) for number in range(200)),
)
NOT_EMPTY: Final = tuple(record for record in RECORDS if (record.key, record.value) != (None, None))
"""kafka-python does not send a record without key and value."""


@pytest.fixture(params=CODECS)
def codec(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def by_kafka_python(bootstrap: str, topic: str, codec: str, records: Sequence[Sent] = RECORDS) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=None if codec == "none" else codec)
    try:
        waiting = [
            producer.send(
                topic,
                key=record.key,
                value=record.value,
                timestamp_ms=record.timestamp_ms,
                headers=list(record.headers),
                partition=0,
            )
            for record in records
        ]
        offsets = [sent.get(PATIENCE_SECONDS).offset for sent in waiting]
    finally:
        producer.close()
    assert offsets == list(range(len(records)))


def by_confluent(bootstrap: str, topic: str, codec: str, **settings: Any) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec, **settings})
    offsets: list[int] = []

    def delivered(error: KafkaError | None, message: Any) -> None:
        assert error is None, error
        offsets.append(message.offset())

    for record in RECORDS:
        producer.produce(
            topic,
            key=record.key,
            value=record.value,
            timestamp=record.timestamp_ms,
            headers=list(record.headers),
            partition=0,
            on_delivery=delivered,
        )
    assert producer.flush(PATIENCE_SECONDS) == 0
    assert offsets == list(range(len(RECORDS)))


def read_by_kafka_python(bootstrap: str, topic: str, count: int) -> list[Sent]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    partition = KafkaTopicPartition(topic, 0)
    try:
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        found: list[Any] = []
        while len(found) < count:
            polled = consumer.poll(timeout_ms=PATIENCE_SECONDS * 1000)
            assert polled, f"nothing after {len(found)} of {count} records"
            found += polled[partition]
    finally:
        consumer.close()
    assert [message.offset for message in found] == list(range(count))
    return [Sent(m.key, m.value, m.timestamp, tuple((name, value) for name, value in m.headers)) for m in found]


def confluent_consumer(bootstrap: str) -> Any:
    """Of no group: this client wants the name of one all the same."""
    return Consumer({"bootstrap.servers": bootstrap, "group.id": "none", "enable.auto.commit": False})


def read_by_confluent(bootstrap: str, topic: str, count: int) -> list[Sent]:
    consumer = confluent_consumer(bootstrap)
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[Any] = []
        while len(found) < count:
            polled = consumer.consume(count - len(found), timeout=PATIENCE_SECONDS)
            assert polled, f"nothing after {len(found)} of {count} records"
            found += polled
    finally:
        consumer.close()
    assert [message.error() for message in found] == [None] * count
    assert [message.offset() for message in found] == list(range(count))
    return [
        Sent(m.key(), m.value(), m.timestamp()[1], tuple((name, value) for name, value in m.headers() or ()))
        for m in found
    ]


def check(bootstrap: str, topic: str, records: Sequence[Sent] = RECORDS) -> None:
    """What the one wrote both read."""
    assert read_by_kafka_python(bootstrap, topic, len(records)) == list(records)
    assert read_by_confluent(bootstrap, topic, len(records)) == list(records)


def test_from_kafka_python(bootstrap: str, make_topic: MakeTopic, codec: str) -> None:
    topic = make_topic().name
    by_kafka_python(bootstrap, topic, codec, NOT_EMPTY)
    check(bootstrap, topic, NOT_EMPTY)


def test_from_confluent(bootstrap: str, make_topic: MakeTopic, codec: str) -> None:
    topic = make_topic().name
    by_confluent(bootstrap, topic, codec)
    check(bootstrap, topic)


def test_from_confluent_idempotent(bootstrap: str, make_topic: MakeTopic, codec: str) -> None:
    topic = make_topic().name
    by_confluent(bootstrap, topic, codec, **{"enable.idempotence": True, "linger.ms": 0})
    check(bootstrap, topic)


@pytest.mark.parametrize("stored", ["gzip", "snappy", "lz4", "zstd", "uncompressed"])
def test_stored_as_the_topic_wants(bootstrap: str, make_topic: MakeTopic, stored: str) -> None:
    """``compression.type`` of the topic is another than the producer's: batches are written anew."""
    topic = make_topic(1, compression_type=stored).name
    by_confluent(bootstrap, topic, "gzip" if stored != "gzip" else "zstd")
    check(bootstrap, topic)


@pytest.fixture
def kafka_consumer(bootstrap: str) -> Iterator[Any]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    yield consumer
    consumer.close()


def test_offsets_by_time(bootstrap: str, make_topic: MakeTopic, kafka_consumer: Any, codec: str) -> None:
    topic = make_topic(2).name
    by_confluent(bootstrap, topic, codec)
    full, empty = (KafkaTopicPartition(topic, index) for index in range(2))

    def offset_of(timestamp_ms: int) -> int | None:
        found = kafka_consumer.offsets_for_times({full: timestamp_ms})[full]
        return None if found is None else int(found.offset)

    assert offset_of(0) == 0
    assert offset_of(TIME + 6) == 6
    assert offset_of(TIME + 7) == 6
    assert offset_of(TIME + 8) == 7
    assert offset_of(TIME + 100) == 97
    assert offset_of(TIME + 10**6) is None
    assert kafka_consumer.beginning_offsets([full, empty]) == {full: 0, empty: 0}
    assert kafka_consumer.end_offsets([full, empty]) == {full: len(RECORDS), empty: 0}

    consumer = confluent_consumer(bootstrap)
    try:
        (found,) = consumer.offsets_for_times([TopicPartition(topic, 0, TIME + 100)], timeout=PATIENCE_SECONDS)
        assert found.offset == 97
        assert consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=PATIENCE_SECONDS) == (0, len(RECORDS))
    finally:
        consumer.close()


def test_a_consumer_that_waits_is_given_what_comes(bootstrap: str, make_topic: MakeTopic) -> None:
    """From the end, one at a time."""
    topic = make_topic().name
    producer = Producer({"bootstrap.servers": bootstrap})
    consumer = confluent_consumer(bootstrap)
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        for number in range(20):
            producer.produce(topic, b"%d" % number, partition=0)
            assert producer.flush(PATIENCE_SECONDS) == 0
            message = consumer.poll(PATIENCE_SECONDS)
            assert message is not None
            assert message.value() == b"%d" % number
    finally:
        consumer.close()


def test_a_topic_is_made_by_producing_to_it(bootstrap: str, make_topic: MakeTopic) -> None:
    """Auto-creation, as both clients ask for it."""
    stem = make_topic().name
    by_confluent(bootstrap, f"{stem}-confluent", "none")
    by_kafka_python(bootstrap, f"{stem}-python", "none", NOT_EMPTY)
    check(bootstrap, f"{stem}-confluent")
    check(bootstrap, f"{stem}-python", NOT_EMPTY)
