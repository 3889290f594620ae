"""Bad input over real sockets: a clear error or a close, at most that connection, memory bounded, a healthy client
beside it unharmed.
"""

from __future__ import annotations

import contextlib
import gzip
import random
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import lz4.frame
import pytest
import zstandard

from ottla._core import crc32c
from ottla.errors import ErrorCode
from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.k01_fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.wire.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from ottla.wire.k03_metadata import MetadataRequest, MetadataRequestTopic
from ottla.wire.k18_api_versions import ApiVersionsRequest
from ottla.wire.k19_create_topics import CreatableTopic, CreateTopicsRequest
from ottla.wire.k20_delete_topics import DeleteTopicsRequest
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.k37_create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from ottla.wire.k60_describe_cluster import DescribeClusterRequest
from ottla.wire.schema import schema_of
from tests.support.broker_process import BrokerProcess
from tests.support.healthy_client import HealthyClient
from tests.support.lying_batches import CODECS, LyingBatch, batch_of
from tests.support.raw import Closed, Connection
from tests.support.raw_admin import create_topic, is_alive

RSS_BYTES_MAX: Final = 700 << 20
"""A network thread may decompress 100 MiB at a time; the rest is small."""
FRAME_BYTES_MAX: Final = 104_857_600
CLOSED_TIMEOUT_S: Final = 60.0
NOW_MS: Final = int(time.time() * 1000)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    directory = tmp_path_factory.mktemp("bad-input") / "data"
    with BrokerProcess(directory, {"message.max.bytes": 8 << 20}) as broker:
        broker.start()
        with Connection(broker.address) as connection:
            assert create_topic(connection, "t", 3) == 0
        yield broker
        assert broker.stop() == 0


@pytest.fixture(scope="module")
def honest(broker: BrokerProcess) -> Iterator[HealthyClient]:
    with HealthyClient(broker.address) as client:
        yield client


@pytest.fixture(autouse=True)
def unharmed(broker: BrokerProcess, honest: HealthyClient) -> Iterator[None]:
    """After every test: the broker lives, the client beside it goes on, memory stayed within its bound."""
    honest.progress(1)
    yield
    honest.progress(3)
    assert broker.exit_code() is None
    assert is_alive(broker.address)
    assert broker.rss_peak_bytes() < RSS_BYTES_MAX
    assert "Traceback" not in broker.log(), broker.log_tail()


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(4) + body


def header(key: int, version: int, client_id: bytes | None = b"bad") -> bytes:
    start = struct.pack(">hhi", key, version, 7)
    return start + (b"\xff\xff" if client_id is None else len(client_id).to_bytes(2) + client_id)


CLOSED: Final[dict[str, bytes]] = {
    "http": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "length -1": b"\xff\xff\xff\xff",
    "length -2 GiB": b"\x80\x00\x00\x00",
    "length 2 GiB - 1": b"\x7f\xff\xff\xff" + bytes(1000),
    "length above the limit": (FRAME_BYTES_MAX + 1).to_bytes(4),
    "length 0": frame(b""),
    "one byte": frame(b"\0"),
    "half a header": frame(b"\0\x03\0\x01\0\0"),
    "client id that lies": frame(struct.pack(">hhih", 3, 1, 7, 30_000)),
    "unknown key": frame(header(9999, 0)),
    "negative key": frame(header(-1, 0)),
    "largest key": frame(header(32767, 32767)),
    "controller's key": frame(header(52, 0)),
    "Produce 14": frame(header(0, 14)),
    "Produce 2": frame(header(0, 2) + bytes(40)),
    "Produce -1": frame(header(0, -1) + bytes(40)),
    "Fetch 3": frame(header(1, 3) + bytes(40)),
    "Fetch 99": frame(header(1, 99) + bytes(40)),
    "Metadata 14": frame(header(3, 14) + bytes(40)),
    "Metadata, a million topics": frame(header(3, 1) + struct.pack(">i", 1_000_000)),
    "Metadata, 2 GiB topics": frame(header(3, 1) + b"\x7f\xff\xff\xff"),
    "Metadata 9, 4 G topics": frame(header(3, 9) + b"\0" + b"\xff\xff\xff\xff\x0f"),
    "Metadata 9, endless varint": frame(header(3, 9) + b"\0" + b"\xff" * 40),
    "Metadata, name that lies": frame(header(3, 1) + struct.pack(">ih", 1, 30_000)),
    "Metadata, null name": frame(header(3, 1) + struct.pack(">ih", 1, -1)),
    "Produce, 2 GiB records": frame(
        header(0, 3) + struct.pack(">hhiih", -1, -1, 1000, 1, 1) + b"t" + struct.pack(">iii", 1, 0, 0x7FFFFFFF)
    ),
    "Produce, a million topics": frame(header(0, 3) + struct.pack(">hhii", -1, -1, 1000, 1_000_000)),
    "Fetch, a million partitions": frame(
        header(1, 4) + struct.pack(">iiiibih", -1, 0, 0, 1, 0, 1, 1) + b"t" + struct.pack(">i", 1_000_000)
    ),
    "ListOffsets, a million topics": frame(header(2, 1) + struct.pack(">ii", -1, 1_000_000)),
    "CreateTopics, a million topics": frame(header(19, 2) + struct.pack(">i", 1_000_000)),
    "CreateTopics, 2 GiB topics": frame(header(19, 2) + b"\x7f\xff\xff\xff"),
    "DeleteTopics, -7 topics": frame(header(20, 1) + struct.pack(">i", -7)),
    "a million tagged fields": frame(
        header(3, 9)
        + b"\0"
        + b"\x01\0\0\0"
        + b"\xc0\x84\x3d"
        + b"".join(struct.pack(">BBBB", n & 0x7F | 0x80, n >> 7 & 0x7F | 0x80, n >> 14, 0) for n in range(1_000_000))
    ),
    "a million tagged fields that are not there": frame(header(3, 9) + b"\0" + b"\x01\0\0\0" + b"\xc0\x84\x3d"),
    "a tagged field of 4 GiB": frame(header(3, 9) + b"\x01\x05\xff\xff\xff\xff\x0f"),
}


@pytest.mark.parametrize("data", CLOSED.values(), ids=CLOSED.keys())
def test_nonsense_closes_its_connection(broker: BrokerProcess, data: bytes) -> None:
    with Connection(broker.address) as connection:
        try:
            connection.send_bytes(data)
        except Closed:
            return
        assert connection.wait_closed() == b""


@pytest.mark.parametrize(
    "data",
    [
        frame(struct.pack(">hhih", 3, 1, 7, -2) + bytes(10)),
        frame(header(3, 1) + struct.pack(">i", -2)),
        frame(header(0, 3) + struct.pack(">hhiih", -1, -1, 1000, 1, 1) + b"t" + struct.pack(">iii", 1, 0, -5)),
    ],
    ids=["client id", "array of topics", "records"],
)
def test_a_negative_length_means_null_where_null_may_be(broker: BrokerProcess, data: bytes) -> None:
    """As in Kafka, whose decoder asks for less than zero and not for -1."""
    with Connection(broker.address) as connection:
        connection.send_bytes(data)
        assert connection.receive_frame()[:4] == b"\0\0\0\x07"


def test_the_log_says_why_a_connection_was_closed(broker: BrokerProcess) -> None:
    with Connection(broker.address) as connection:
        connection.send_bytes(b"\x7f\xff\xff\xfe")
        connection.wait_closed()
    assert "socket.request.max.bytes" in broker.wait_said("frame length 2147483646 is not between")


def requests() -> list[Any]:
    """One of each API that is served, with something in every array."""
    batch = batch_of(2, NOW_MS)
    data = PartitionProduceData(index=1, records=batch)
    partition = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1000)
    return [
        ProduceRequest(acks=1, timeout_ms=1000, topic_data=(TopicProduceData(name="t", partition_data=(data,)),)),
        FetchRequest(max_wait_ms=0, min_bytes=0, topics=(FetchTopic(topic="t", partitions=(partition,)),)),
        ListOffsetsRequest(
            replica_id=-1,
            topics=(ListOffsetsTopic(name="t", partitions=(ListOffsetsPartition(partition_index=0, timestamp=-1),)),),
        ),
        MetadataRequest(topics=(MetadataRequestTopic(name="t"),), allow_auto_topic_creation=False),
        ApiVersionsRequest(client_software_name="x", client_software_version="1"),
        CreateTopicsRequest(
            topics=(CreatableTopic(name="t", num_partitions=1, replication_factor=1),), validate_only=True
        ),
        DeleteTopicsRequest(topic_names=("nobody",), timeout_ms=1),
        InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000),
        CreatePartitionsRequest(topics=(CreatePartitionsTopic(name="t", count=3),), timeout_ms=1, validate_only=True),
        DescribeClusterRequest(),
    ]


def _versions(request: Any) -> list[int]:
    schema = schema_of(request)
    return list(schema.valid)[: len(schema.valid) - (1 if schema.latest_version_unstable else 0)]


@pytest.mark.parametrize("request_", requests(), ids=lambda request: type(request).__name__)
def test_frames_that_end_too_early_hurt_nobody(broker: BrokerProcess, request_: Any) -> None:
    """Whole frames whose body was cut, at every tenth byte or so; and streams that end within a frame."""
    for version in _versions(request_):
        with Connection(broker.address) as connection:
            whole = connection.frame(request_, version) if _encodes(request_, version) else b""
        cuts = range(5, len(whole) - 4, max(len(whole) // 10, 1))
        for cut in cuts:
            _send_and_leave(broker, frame(whole[4 : 4 + cut]))
        for cut in (1, 3, 4, len(whole) // 2, len(whole) - 1):
            _send_and_leave(broker, whole[:cut])


def _encodes(request: Any, version: int) -> bool:
    from ottla.wire.codec import WireError, encode_request

    try:
        encode_request(request, version)
    except WireError:
        return False
    return True


def _send_and_leave(broker: BrokerProcess, data: bytes) -> bytes:
    """Sends, says that there is no more, and takes what comes until the broker closes."""
    with Connection(broker.address) as connection:
        try:
            connection.send_bytes(data)
            connection.socket.shutdown(socket.SHUT_WR)
        except (Closed, OSError):
            return b""
        return connection.wait_closed()


def test_mutated_requests_hurt_nobody(broker: BrokerProcess) -> None:
    randomness = random.Random(4711)
    samples = []
    with Connection(broker.address) as connection:
        for request in requests():
            samples += [
                connection.frame(request, version) for version in _versions(request) if _encodes(request, version)
            ]
    for _ in range(600):
        data = bytearray(randomness.choice(samples))
        for _ in range(randomness.choice((1, 1, 2, 8))):
            data[randomness.randrange(4, len(data))] = randomness.choice(
                (0, 1, 0x7F, 0x80, 0xFF, randomness.randrange(256))
            )
        _send_and_leave(broker, bytes(data))


@pytest.mark.parametrize("name", [b"\xff\xfe", b"caf\xe9", b"\xc0\x80", b"\xed\xa0\x80", b"a\0b"])
def test_names_that_are_no_utf8_name_no_topic(broker: BrokerProcess, name: bytes) -> None:
    body = header(3, 1) + struct.pack(">ih", 1, len(name)) + name
    with Connection(broker.address) as connection:
        connection.send_bytes(frame(body))
        try:
            answer = connection.receive_frame()
        except Closed:
            return
        assert int(ErrorCode.INVALID_TOPIC_EXCEPTION).to_bytes(2) in answer


def _produce(broker: BrokerProcess, records: bytes, version: int = 9) -> Any:
    data = PartitionProduceData(index=0, records=records)
    request = ProduceRequest(
        transactional_id=None,
        acks=-1,
        timeout_ms=30_000,
        topic_data=(TopicProduceData(name="t", partition_data=(data,)),),
    )
    with Connection(broker.address) as connection:
        return connection.ask(request, version).responses[0].partition_responses[0]


def _is_explained(answer: Any) -> None:
    """The server's own error is Kafka's answer to what cannot be decompressed (or in which way), and to nothing else;
    each refusal has words.
    """
    message = answer.error_message or ""
    if answer.error_code == ErrorCode.UNKNOWN_SERVER_ERROR:
        assert "compress" in message, message
    elif answer.error_code not in (0, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED):
        assert message, ErrorCode(answer.error_code).name


def _zeros_in(compressor: Any, count: int) -> bytes:
    block = bytes(1 << 20)
    return b"".join(compressor.compress(block) for _ in range(count >> 20)) + bytes(compressor.flush())


def _bombs() -> dict[str, Callable[[], bytes]]:
    def framed_lz4(size: int) -> bytes:
        compressor = lz4.frame.LZ4FrameCompressor(block_size=lz4.frame.BLOCKSIZE_MAX4MB, block_linked=False)
        return bytes(compressor.begin()) + _zeros_in(compressor, size)

    return {
        "gzip": lambda: _zeros_in(zlib.compressobj(9, wbits=31), 1 << 30),
        "gzip of many members": lambda: gzip.compress(bytes(8 << 20), 9, mtime=0) * 200,
        "zstd": lambda: _zeros_in(zstandard.ZstdCompressor(level=1).compressobj(), 4 << 30),
        "lz4": lambda: framed_lz4(1 << 30),
        "snappy": lambda: b"\xff\xff\xff\xff\x0f" + b"\xfe\x01\x00" * 300_000,
        "snappy of many blocks": lambda: (
            b"\x82SNAPPY\0\0\0\0\1\0\0\0\1" + b"\0\0\0\x0a\xff\xff\xff\xff\x07\xfe\x01\x00\xfe\x01" * 50_000
        ),
    }


@pytest.mark.parametrize("name", _bombs().keys())
def test_a_bomb_is_refused_in_bounded_memory(broker: BrokerProcess, name: str) -> None:
    payload = _bombs()[name]()
    answer = _produce(broker, LyingBatch(codec=name.split()[0], payload=payload).encode())
    expected = (ErrorCode.INVALID_RECORD, ErrorCode.CORRUPT_MESSAGE, ErrorCode.MESSAGE_TOO_LARGE)
    assert answer.error_code in expected, ErrorCode(answer.error_code).name
    assert answer.error_message


@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec != "none"])
def test_a_window_or_size_that_lies_takes_no_memory(broker: BrokerProcess, codec: str) -> None:
    """Noise under each codec's magic, and headers that announce gigabytes."""
    randomness = random.Random(codec)
    heads = {
        "gzip": bytes.fromhex("1f8b0800000000000003"),
        "snappy": bytes.fromhex("82534e4150505900000000010000000100000010ffffffff"),
        "lz4": bytes.fromhex("04224d186c70ffffffffffffff7f"),
        "zstd": bytes.fromhex("28b52ffde0ffffffffffffff7f"),
    }
    for head in (heads[codec], heads[codec][:4], b""):
        for _ in range(20):
            payload = head + randomness.randbytes(randomness.randrange(200))
            answer = _produce(broker, LyingBatch(codec=codec, payload=payload).encode())
            assert answer.error_code != 0
            _is_explained(answer)


def test_mutated_batches_are_taken_or_refused(broker: BrokerProcess) -> None:
    """With a checksum that holds, so that the lies are looked at."""
    randomness = random.Random(815)
    whole = [
        LyingBatch(
            list(LyingBatch().records) * 5, codec=codec, base_timestamp_ms=NOW_MS, max_timestamp_ms=NOW_MS
        ).encode()
        for codec in CODECS
    ]
    codes = set()
    for _ in range(400):
        data = bytearray(randomness.choice(whole))
        for _ in range(randomness.choice((1, 2, 6))):
            data[randomness.randrange(21, len(data))] = randomness.randrange(256)
        data[17:21] = crc32c(bytes(data[21:])).to_bytes(4)
        answer = _produce(broker, bytes(data))
        codes.add(answer.error_code)
        _is_explained(answer)
    assert codes >= {0, ErrorCode.INVALID_RECORD}, codes


def test_a_topic_of_too_many_partitions_is_refused(broker: BrokerProcess) -> None:
    with Connection(broker.address) as connection:
        for count in (1 << 24, 2_000_000, 2**31 - 1):
            assert create_topic(connection, "huge", count) != 0


# --- connections that take and do not give ------------------------------------------------------------------------


@contextlib.contextmanager
def many(broker: BrokerProcess, count: int) -> Iterator[list[Connection]]:
    """So many connections, which are closed in any case: what a failing test left would fail the next."""
    with contextlib.ExitStack() as held:
        yield [held.enter_context(Connection(broker.address)) for _ in range(count)]


def test_one_byte_at_a_time_is_served(broker: BrokerProcess, honest: HealthyClient) -> None:
    with Connection(broker.address) as connection:
        data = connection.frame(ApiVersionsRequest(client_software_name="slow", client_software_version="1"), 3)
        for at in range(len(data)):
            connection.send_bytes(data[at : at + 1])
            honest.progress(1)
        assert connection.receive().error_code == 0


def test_half_open_connections_cost_little(broker: BrokerProcess, honest: HealthyClient) -> None:
    """Half a frame that claims 100 MB, then nothing; then a reset."""
    before = broker.rss_bytes()
    with many(broker, 300) as connections:
        for connection in connections:
            connection.send_bytes(FRAME_BYTES_MAX.to_bytes(4) + header(0, 9) + bytes(1000))
        honest.progress(20)
        assert broker.rss_bytes() < before + (100 << 20)
        for connection in connections:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_idle_connections_cost_little(broker: BrokerProcess, honest: HealthyClient) -> None:
    before, descriptors = broker.rss_bytes(), broker.descriptors()
    request = ApiVersionsRequest(client_software_name="idle", client_software_version="1")
    with many(broker, 2_000) as connections:
        for connection in connections:
            connection.send(request, 3)
        for connection in connections:
            assert connection.receive().error_code == 0
        honest.progress(20)
        assert broker.rss_bytes() < before + 2_000 * (24 << 10)
    _await_descriptors(broker, honest, descriptors + 20)


def test_a_storm_of_connections_passes(broker: BrokerProcess, honest: HealthyClient) -> None:
    descriptors = broker.descriptors()
    randomness = random.Random(99)
    for _ in range(3_000):
        with socket.create_connection(broker.address) as connection:
            if randomness.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if randomness.random() < 0.5:
                connection.sendall(randomness.randbytes(20))
    _await_descriptors(broker, honest, descriptors + 20)


def _await_descriptors(broker: BrokerProcess, honest: HealthyClient, most: int) -> None:
    """Closed connections give their descriptors back, in a while."""
    deadline = time.monotonic() + CLOSED_TIMEOUT_S
    while (count := broker.descriptors()) > most:
        assert time.monotonic() < deadline, f"{count} descriptors are open, {most} were expected"
        honest.progress(1)


def _filled(broker: BrokerProcess, topic: str, batches: int, value: int) -> None:
    with Connection(broker.address) as connection:
        if create_topic(connection, topic) != 0:
            return
        data = PartitionProduceData(index=0, records=batch_of(1, NOW_MS, b"x" * value))
        named = TopicProduceData(name=topic, partition_data=(data,))
        request = ProduceRequest(transactional_id=None, acks=1, timeout_ms=30_000, topic_data=(named,))
        for _ in range(batches):
            assert connection.ask(request, 9).responses[0].partition_responses[0].error_code == 0


def _fetch(
    topic: str, *, wait_ms: int = 0, min_bytes: int = 1, max_bytes: int = 50 << 20, offset: int = 0
) -> FetchRequest:
    wanted = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=max_bytes)
    return FetchRequest(
        replica_id=-1,
        max_wait_ms=wait_ms,
        min_bytes=min_bytes,
        max_bytes=max_bytes,
        topics=(FetchTopic(topic=topic, partitions=(wanted,)),),
    )


@pytest.mark.parametrize(("topic", "value", "max_bytes"), [("large", 500_000, 50 << 20), ("small", 10_000, 12_000)])
def test_readers_that_never_read_cost_little(
    broker: BrokerProcess, honest: HealthyClient, topic: str, value: int, max_bytes: int
) -> None:
    """200 connections with many requests each, of which no answer is ever taken: large ones by file, small ones by
    copy.
    """
    _filled(broker, topic, 10, value)
    before = broker.rss_bytes()
    with many(broker, 200) as connections:
        for connection in connections:
            # The first waits, and all that is ready stands behind it.
            pipeline = connection.frame(_fetch(topic, wait_ms=600_000, min_bytes=1 << 30, offset=10), 12)
            pipeline += b"".join(connection.frame(_fetch(topic, max_bytes=max_bytes), 12) for _ in range(60))
            pipeline += connection.frame(MetadataRequest(topics=None), 12) * 20
            connection.send_bytes(pipeline)
        honest.progress(50)
        assert broker.rss_bytes() < before + (400 << 20)


def test_many_small_ranges_of_one_request_are_not_copied(broker: BrokerProcess, honest: HealthyClient) -> None:
    """Answers of thousands of partitions with a little each, waiting behind a slow one, on many connections."""
    with Connection(broker.address) as connection:
        assert create_topic(connection, "wide", 1_000) == 0
        batch = batch_of(1, NOW_MS, b"x" * 14_000)
        data = tuple(PartitionProduceData(index=index, records=batch) for index in range(1_000))
        named = TopicProduceData(name="wide", partition_data=data)
        request = ProduceRequest(transactional_id=None, acks=1, timeout_ms=30_000, topic_data=(named,))
        answers = connection.ask(request, 9).responses[0].partition_responses
        assert {answer.error_code for answer in answers} == {0}
    before = broker.rss_bytes()
    wanted = tuple(
        FetchPartition(partition=index, fetch_offset=0, partition_max_bytes=16_000) for index in range(1_000)
    )
    topic = FetchTopic(topic="wide", partitions=wanted)
    fetch = FetchRequest(replica_id=-1, max_wait_ms=0, min_bytes=1, max_bytes=50 << 20, topics=(topic,))
    with many(broker, 20) as connections:
        for connection in connections:
            slow = connection.frame(_fetch("wide", wait_ms=600_000, min_bytes=1 << 30, offset=1), 12)
            one = connection.frame(fetch, 12)
            connection.send_bytes(slow + one * 10)
        honest.progress(50)
        # Copied whole it would be 20 x 10 x 14 MB.
        assert broker.rss_bytes() < before + (150 << 20)


def test_a_flood_of_administration_is_survived(broker: BrokerProcess, honest: HealthyClient) -> None:
    """Requests that Python answers, from many connections at once."""
    with many(broker, 200) as connections:
        for connection in connections:
            connection.send_bytes(b"".join(connection.frame(DescribeClusterRequest(), 1) for _ in range(20)))
        honest.progress(10)
        for connection in connections:
            assert all(connection.receive().error_code == 0 for _ in range(20))


def test_memory_is_as_it_was(broker: BrokerProcess, honest: HealthyClient, tmp_path: Path) -> None:
    """The last of the module: after all that was done above."""
    honest.progress(20)
    assert broker.rss_bytes() < RSS_BYTES_MAX // 2
    assert honest.longest_s < 20
