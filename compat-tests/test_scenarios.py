"""What every client library does all day, each scenario once for each client, with the client's own defaults."""

import contextlib
import random
import time
from collections import defaultdict

import pytest
from benchmarks.failure import Skipped

from compat_support.client import (
    AtOffset,
    AtTimestamp,
    Beginning,
    Client,
    Code,
    ProduceOptions,
    Received,
    Record,
    Refused,
    connect,
)

CLIENTS = ("kafka_python", "confluent_kafka", "aiokafka", "franz_go")
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
DEFAULTS = ProduceOptions()

pytestmark = pytest.mark.parametrize("client_name", CLIENTS)


@pytest.fixture
def others(client_name: str, bootstrap: str) -> list[Client]:
    """The other clients, as far as their toolchain is here."""
    found = []
    for name in CLIENTS:
        with contextlib.suppress(Skipped):
            if name != client_name:
                found.append(connect(name, bootstrap))
    return found


def some_records(count: int = 300) -> list[Record]:
    """Values that compress, and differ."""
    return [Record(f"key-{i % 17}".encode(), f"value {i}: ".encode() + b"ottla " * (i % 50)) for i in range(count)]


def bare(received: list[Received]) -> list[Record]:
    return [r.bare for r in received]


def test_create_topic(client: Client, topic: str) -> None:
    client.create_topic(topic, partitions=5)
    assert client.partitions(topic) == 5
    assert topic in client.topics()


def test_produce_with_defaults(client: Client, topic: str) -> None:
    client.create_topic(topic)
    records = some_records()
    assert client.produce(topic, records, DEFAULTS) == list(range(300))
    received = client.consume(topic, Beginning(), 300)
    assert bare(received) == records
    assert [r.offset for r in received] == list(range(300))


def test_produce_creates_topic(client: Client, topic: str) -> None:
    assert client.produce(topic, some_records(3), DEFAULTS, partition=None) == [0, 1, 2]
    assert bare(client.consume(topic, Beginning(), 3)) == some_records(3)


@pytest.mark.parametrize("codec", CODECS)
def test_produce(client: Client, topic: str, codec: str) -> None:
    client.create_topic(topic)
    records = some_records()
    assert client.produce(topic, records, ProduceOptions(codec=codec)) == list(range(300))
    assert bare(client.consume(topic, Beginning(), 300)) == records


@pytest.mark.parametrize("codec", CODECS)
def test_topic_compresses(client: Client, topic: str, codec: str) -> None:
    client.create_topic(topic, configs={"compression.type": "uncompressed" if codec == "none" else codec})
    records = some_records()
    assert client.produce(topic, records, ProduceOptions(codec="gzip")) == list(range(300))
    assert bare(client.consume(topic, Beginning(), 300)) == records


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_acks(client: Client, topic: str, acks: str) -> None:
    client.create_topic(topic)
    records = some_records(50)
    offsets = client.produce(topic, records, ProduceOptions(acks=acks, idempotent=False))
    assert acks == "0" or offsets == list(range(50))
    assert bare(client.consume(topic, Beginning(), 50)) == records


def test_idempotent(client: Client, topic: str) -> None:
    client.create_topic(topic)
    options = ProduceOptions(codec="lz4", acks="all", idempotent=True)
    assert client.produce(topic, some_records(2000), options) == list(range(2000))
    assert client.produce(topic, some_records(10), options) == list(range(2000, 2010))
    assert bare(client.consume(topic, Beginning(), 2010)) == some_records(2000) + some_records(10)


def test_headers(client: Client, topic: str) -> None:
    client.create_topic(topic)
    headers = (("trace", b"\x00\x01\xff"), ("empty", b""), ("trace", b"again"), ("ключ", "значение".encode()))
    records = [Record(b"k", b"v", headers), Record(b"k", b"v")]
    client.produce(topic, records, DEFAULTS)
    assert bare(client.consume(topic, Beginning(), 2)) == records


def test_null_and_empty(client: Client, topic: str) -> None:
    client.create_topic(topic)
    records = [Record(None, b"v"), Record(b"k", None), Record(b"", b""), Record(b"k", b"")]
    client.produce(topic, records, DEFAULTS)
    assert bare(client.consume(topic, Beginning(), 4)) == records


def test_large_record(client: Client, topic: str) -> None:
    client.create_topic(topic)
    records = [Record(b"large", bytes(range(256)) * 3600), Record(b"small", b"after")]
    assert client.produce(topic, records, DEFAULTS) == [0, 1]
    assert bare(client.consume(topic, Beginning(), 2)) == records


def test_order_of_a_key(client: Client, topic: str) -> None:
    client.create_topic(topic, partitions=6)
    sent = [Record(f"key-{i % 31}".encode(), str(i).encode()) for i in range(1000)]
    client.produce(topic, sent, DEFAULTS, partition=None)
    received = client.consume(topic, Beginning(), 1000, partitions=range(6))
    values: dict[bytes | None, list[int]] = defaultdict(list)
    places: dict[bytes | None, set[int]] = defaultdict(set)
    for r in received:
        assert r.record.value is not None
        values[r.record.key].append(int(r.record.value))
        places[r.record.key].add(r.partition)
    assert values == {f"key-{k}".encode(): list(range(k, 1000, 31)) for k in range(31)}
    assert all(len(partitions) == 1 for partitions in places.values())


def test_consume_from_offset(client: Client, topic: str) -> None:
    client.create_topic(topic)
    client.produce(topic, some_records(), DEFAULTS)
    received = client.consume(topic, AtOffset(137), 20)
    assert [r.offset for r in received] == list(range(137, 157))
    assert bare(received) == some_records()[137:157]


def test_consume_from_timestamp(client: Client, topic: str) -> None:
    client.create_topic(topic)
    now_ms = int(time.time() * 1000)
    records = [Record(b"k", str(i).encode(), timestamp_ms=now_ms - 1000 + i * 10) for i in range(100)]
    client.produce(topic, records, DEFAULTS)
    received = client.consume(topic, AtTimestamp(now_ms - 1000 + 455), 5)
    assert [r.offset for r in received] == [46, 47, 48, 49, 50]
    assert [r.timestamp_ms for r in received] == [now_ms - 1000 + i * 10 for i in range(46, 51)]


def test_consume_from_end(client: Client, topic: str) -> None:
    client.create_topic(topic)
    client.produce(topic, some_records(10), DEFAULTS)
    late = [Record(b"late", b"record")]
    received = client.consume_from_end(topic, lambda: client.produce(topic, late, DEFAULTS), 1)
    assert [(r.offset, r.bare) for r in received] == [(10, late[0])]


def test_offsets(client: Client, topic: str) -> None:
    client.create_topic(topic)
    assert client.offsets(topic) == (0, 0)
    client.produce(topic, some_records(42), DEFAULTS)
    assert client.offsets(topic) == (0, 42)


def test_offset_of_timestamp(client: Client, topic: str) -> None:
    client.create_topic(topic)
    now_ms = int(time.time() * 1000)
    client.produce(topic, [Record(b"k", b"v", timestamp_ms=now_ms + i) for i in (0, 10, 20)], DEFAULTS)
    found = [client.offset_at(topic, now_ms + after) for after in (-1, 0, 1, 20, 21)]
    assert found == [0, 0, 1, 2, None]


def test_log_append_time(client: Client, topic: str) -> None:
    client.create_topic(topic, configs={"message.timestamp.type": "LogAppendTime"})
    before_ms = int(time.time() * 1000) - 1000
    client.produce(topic, [Record(b"k", b"v", timestamp_ms=1_000_000)], DEFAULTS)
    (received,) = client.consume(topic, Beginning(), 1)
    assert received.timestamp_ms >= before_ms


def test_add_partitions(client: Client, topic: str) -> None:
    client.create_topic(topic, partitions=2)
    client.produce(topic, some_records(5), DEFAULTS, partition=1)
    client.add_partitions(topic, 4)
    assert client.partitions(topic) == 4
    client.produce(topic, some_records(5), DEFAULTS, partition=3)
    assert bare(client.consume(topic, Beginning(), 10, partitions=[1, 3])) == some_records(5) * 2


def test_delete_topic(client: Client, topic: str) -> None:
    client.create_topic(topic)
    client.produce(topic, some_records(5), DEFAULTS)
    client.delete_topic(topic)
    assert topic not in client.topics()
    client.create_topic(topic)
    assert client.offsets(topic) == (0, 0)


def test_topic_config(client: Client, topic: str) -> None:
    client.create_topic(topic, configs={"retention.ms": "123456", "cleanup.policy": "compact,delete"})
    found = client.topic_config(topic)
    wanted = {"retention.ms": "123456", "cleanup.policy": "compact,delete", "max.message.bytes": "1048588"}
    assert {name: found[name] for name in wanted} == wanted
    assert found["segment.bytes"] == "1073741824"


def test_cluster(client: Client, bootstrap: str) -> None:
    cluster = client.cluster()
    assert cluster.brokers == {bootstrap}
    assert len(cluster.cluster_id) == 22


def test_reads_what_others_wrote(client: Client, topic: str, others: list[Client]) -> None:
    """Each codec as each other library writes it."""
    client.create_topic(topic, partitions=len(CODECS))
    for writer in others:
        for partition, codec in enumerate(CODECS):
            writer.produce(topic, some_records(100), ProduceOptions(codec=codec), partition=partition)
    for partition in range(len(CODECS)):
        received = client.consume(topic, Beginning(), 100 * len(others), partitions=[partition])
        assert bare(received) == some_records(100) * len(others)


def test_error_record_too_large(client: Client, topic: str) -> None:
    client.create_topic(topic, configs={"max.message.bytes": "1000"})
    with pytest.raises(Refused) as refused:
        client.produce(topic, [Record(b"k", random.Random(1).randbytes(5000))], DEFAULTS)
    assert refused.value.code == Code.MESSAGE_TOO_LARGE
    assert client.produce(topic, [Record(b"k", b"small")], DEFAULTS) == [0]


def test_error_topic_exists(client: Client, topic: str) -> None:
    client.create_topic(topic)
    with pytest.raises(Refused) as refused:
        client.create_topic(topic)
    assert refused.value.code == Code.TOPIC_ALREADY_EXISTS


def test_error_no_partitions(client: Client, topic: str) -> None:
    with pytest.raises(Refused) as refused:
        client.create_topic(topic, partitions=0)
    assert refused.value.code == Code.INVALID_PARTITIONS


def test_error_fewer_partitions(client: Client, topic: str) -> None:
    client.create_topic(topic, partitions=3)
    with pytest.raises(Refused) as refused:
        client.add_partitions(topic, 2)
    assert refused.value.code == Code.INVALID_PARTITIONS
    assert client.partitions(topic) == 3


def test_error_topic_name(client: Client) -> None:
    with pytest.raises(Refused) as refused:
        client.create_topic("not a topic!")
    assert refused.value.code == Code.INVALID_TOPIC


def test_error_config(client: Client, topic: str) -> None:
    with pytest.raises(Refused) as refused:
        client.create_topic(topic, configs={"retention.ms": "soon"})
    assert refused.value.code == Code.INVALID_CONFIG
    assert topic not in client.topics()


def test_error_delete_unknown_topic(client: Client, topic: str) -> None:
    with pytest.raises(Refused) as refused:
        client.delete_topic(topic)
    assert refused.value.code == Code.UNKNOWN_TOPIC_OR_PARTITION


def test_error_offset_out_of_range(client: Client, topic: str) -> None:
    client.create_topic(topic)
    client.produce(topic, some_records(5), DEFAULTS)
    with pytest.raises(Refused) as refused:
        client.consume(topic, AtOffset(1000), 1)
    assert refused.value.code == Code.OFFSET_OUT_OF_RANGE
