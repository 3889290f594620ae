"""A full disk and a lack of descriptors: clear errors, reads and deletes go on, and it ends by itself when there is
room again.
"""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path
from typing import Any, Final

from ottla._core import decode_batches
from ottla.errors import ErrorCode
from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.k01_fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.wire.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.wire.k60_describe_cluster import DescribeClusterRequest
from tests.faults.ledger import Place
from tests.faults.load import list_offset
from tests.support.broker_process import BrokerProcess
from tests.support.healthy_client import HealthyClient
from tests.support.lying_batches import batch_of
from tests.support.raw import Closed, Connection
from tests.support.raw_admin import create_topic, is_alive, topic_of
from tests.support.raw_member import ASK_AGAIN, commit_offsets, committed_offsets, wait_coordinated
from tests.support.small_disk import DISK_BYTES, fill, small_disk

__all__ = ["small_disk"]

VALUE: Final = b"x" * 200_000
ROOM_TIMEOUT_S: Final = 60.0
DESCRIPTORS_MAX: Final = 120


def _produce(connection: Connection, topic: str, value: bytes = VALUE) -> Any:
    data = PartitionProduceData(index=0, records=batch_of(1, int(time.time() * 1000), value))
    named = TopicProduceData(name=topic, partition_data=(data,))
    request = ProduceRequest(transactional_id=None, acks=-1, timeout_ms=30_000, topic_data=(named,))
    return connection.ask(request, 9).responses[0].partition_responses[0]


def test_a_full_disk_refuses_writes_and_nothing_else(small_disk: Path, tmp_path: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(DISK_BYTES // 3))
    settings = {"log.segment.bytes": 1 << 20, "log.segment.delete.delay.ms": 100}
    with BrokerProcess(small_disk / "data", settings) as broker:
        broker.log_path = tmp_path / "broker.log"
        broker.start()
        with Connection(broker.address) as connection:
            assert create_topic(connection, "kept") == 0
            assert create_topic(connection, "removed") == 0
            for _ in range(20):
                assert _produce(connection, "removed").error_code == 0
            count = 0
            while (answer := _produce(connection, "kept")).error_code == 0:
                count += 1
                assert count * len(VALUE) < DISK_BYTES, "the disk does not fill"
            assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode(answer.error_code).name
            assert "kept-0" in answer.error_message
            assert "is full" in answer.error_message, answer.error_message
            # Reads go on, nothing half-written is seen, and the rest of the broker answers.
            for _ in range(3):
                assert _produce(connection, "kept").error_code == ErrorCode.KAFKA_STORAGE_ERROR
            model = _read(connection)
            assert model == [len(VALUE)] * count
            assert is_alive(broker.address)
            broker.wait_said("records are refused until there is room")
            # What must go on has the space that was set aside: a topic can be made, and deletes make room for records.
            assert create_topic(connection, "made-while-full") == 0
            request = DeleteTopicsRequest(topics=(DeleteTopicState(name="removed"),), timeout_ms=30_000)
            assert connection.ask(request, 6).responses[0].error_code == 0
            assert topic_of(connection, "removed").error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            _until_taken(connection, "kept")
            broker.wait_said("there is room again")
            assert _produce(connection, "made-while-full").error_code == 0
            # And so does whoever makes room from outside.
            while _produce(connection, "kept").error_code == 0:
                pass
            end = list_offset(connection, Place("kept", 0), -1)[0]
            ballast.unlink()
            _until_taken(connection, "kept")
            assert _produce(connection, "kept").base_offset == end + 1
            # Full once more, and killed while it is.
            with ballast.open("wb", buffering=0) as file:
                fill(file)
            while _produce(connection, "kept", b"y" * 4000).error_code == 0:
                pass
            end = list_offset(connection, Place("kept", 0), -1)[0]
        broker.kill()
        ballast.unlink()
        broker.start()
        with Connection(broker.address) as connection:
            assert list_offset(connection, Place("kept", 0), -1)[0] == end
            assert len(_read(connection)) == end
            assert _produce(connection, "kept").base_offset == end


def test_groups_on_a_full_disk_lose_no_commit_and_go_on(small_disk: Path, tmp_path: Path) -> None:
    ballast = small_disk / "ballast"
    settings = {"offsets.topic.num.partitions": 1, "offsets.topic.segment.bytes": 1 << 20, "log.segment.bytes": 1 << 20}
    with BrokerProcess(small_disk / "data", settings) as broker:
        broker.log_path = tmp_path / "broker.log"
        broker.start()
        with Connection(broker.address) as connection:
            assert create_topic(connection, "kept") == 0
            wait_coordinated(connection, "g")
            offset = 1
            assert commit_offsets(connection, "g", "kept", {0: offset}) == 0
            with ballast.open("wb", buffering=0) as file:
                fill(file)
            while _produce(connection, "kept", b"y" * 4000).error_code == 0:
                pass
            # What the refused commits decided is forgotten with them; what was acknowledged stays, and can be read.
            refused = 0
            deadline = time.monotonic() + ROOM_TIMEOUT_S
            while refused < 3:
                assert time.monotonic() < deadline, "commits are taken, though the disk is full"
                code = commit_offsets(connection, "g", "kept", {0: offset + 1})
                offset += code == 0
                refused += code != 0
                assert code in ASK_AGAIN | {0}, ErrorCode(code).name
            wait_coordinated(connection, "g")
            assert committed_offsets(connection, "g") == {"g": {0: offset}}
            assert is_alive(broker.address)
            ballast.unlink()
            _until_taken(connection, "kept")
            while (code := commit_offsets(connection, "g", "kept", {0: offset + 1})) != 0:
                assert code in ASK_AGAIN, ErrorCode(code).name
                assert time.monotonic() < deadline, "there is room, and commits are still refused"
        broker.kill()
        broker.start()
        with Connection(broker.address) as connection:
            wait_coordinated(connection, "g")
            assert committed_offsets(connection, "g") == {"g": {0: offset + 1}}


def _read(connection: Connection) -> list[int]:
    """The sizes of the values of kept-0."""
    sizes: list[int] = []
    end = list_offset(connection, Place("kept", 0), -1)[0]
    while len(sizes) < end:
        wanted = FetchPartition(partition=0, fetch_offset=len(sizes), partition_max_bytes=4 << 20)
        topic = FetchTopic(topic="kept", partitions=(wanted,))
        request = FetchRequest(replica_id=-1, max_wait_ms=0, min_bytes=1, max_bytes=4 << 20, topics=(topic,))
        answer = connection.ask(request, 12).responses[0].partitions[0]
        assert answer.error_code == 0, answer.error_code
        batches = decode_batches(answer.records).batches
        assert batches, f"nothing at {len(sizes)}, though the end is {end}"
        sizes += [len(record.value or b"") for batch in batches for record in batch.records]
    return sizes


def _until_taken(connection: Connection, topic: str) -> None:
    deadline = time.monotonic() + ROOM_TIMEOUT_S
    while (answer := _produce(connection, topic)).error_code != 0:
        assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode(answer.error_code).name
        assert time.monotonic() < deadline, "there is room, and writes are still refused"


def test_a_lack_of_descriptors_pauses_accepting(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data", descriptors_max=DESCRIPTORS_MAX) as broker:
        broker.start()
        with HealthyClient(broker.address) as honest, contextlib.ExitStack() as held:
            honest.progress(3)
            # Of none of these has the broker loaded what it takes to answer them, or to say why it does not.
            strange = held.enter_context(Connection(broker.address))
            nonsense = held.enter_context(Connection(broker.address))
            for _ in range(2 * DESCRIPTORS_MAX):
                held.enter_context(socket.create_connection(broker.address))
            broker.wait_said("pauses")
            honest.progress(50)
            nonsense.send_bytes(b"\xff\xff\xff\xff")
            nonsense.wait_closed()
            strange.send(DescribeClusterRequest(), 1)
            with contextlib.suppress(Closed):
                strange.receive()
            honest.progress(50)
            assert broker.exit_code() is None
            held.close()
            # Those that wait in the backlog are accepted, found closed, and the next is served.
            assert is_alive(broker.address)
            honest.progress(10)
