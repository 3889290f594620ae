"""A full disk and a lack of descriptors: clear errors, reads and deletes go on, and it ends by itself when there is room again."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from ottla.errors import ErrorCode
from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from tests.faults.ledger import Place
from tests.faults.load import list_offset
from tests.support.broker_process import BrokerProcess
from tests.support.healthy_client import HealthyClient
from tests.support.lying_batches import batch_of
from tests.support.raw_client import RawConnection, create_topic, is_alive

DISK_BYTES: Final = 24 << 20
VALUE: Final = b"x" * 200_000
ROOM_TIMEOUT_S: Final = 60.0
DESCRIPTORS_MAX: Final = 120


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _produce(connection: RawConnection, topic: str, value: bytes = VALUE) -> Any:
    data = PartitionProduceData(index=0, records=batch_of(1, int(time.time() * 1000), value))
    named = TopicProduceData(name=topic, partition_data=(data,))
    request = ProduceRequest(transactional_id=None, acks=-1, timeout_ms=30_000, topic_data=(named,))
    return connection.request(request, 9).responses[0].partition_responses[0]


def test_a_full_disk_refuses_writes_and_nothing_else(small_disk: Path, tmp_path: Path) -> None:
    settings = {"log.segment.delete.delay.ms": 0, "log.segment.bytes": 1 << 20}
    ballast = small_disk / "ballast"
    with BrokerProcess(small_disk / "data", settings) as broker:
        broker.log_path = tmp_path / "broker.log"
        broker.start()
        with RawConnection(broker.address) as connection:
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
            assert list_offset(connection, Place("kept", 0), -1)[0] == count
            for _ in range(3):
                assert _produce(connection, "kept").error_code == ErrorCode.KAFKA_STORAGE_ERROR
            assert list_offset(connection, Place("kept", 0), -1)[0] == count
            assert is_alive(broker.address)
            # A delete goes on, and what it frees is enough to go on without restart.
            request = DeleteTopicsRequest(topics=(DeleteTopicState(name="removed"),), timeout_ms=30_000)
            assert connection.request(request, 6).responses[0].error_code == 0
            _until_taken(connection, "kept")
            assert list_offset(connection, Place("kept", 0), -1)[0] == count + 1
            # Full by somebody else's fault, and given back by him.
            with ballast.open("wb") as file:
                _fill(file)
            refused = 0
            while _produce(connection, "kept", b"y" * 4000).error_code == 0:
                refused += 1
                assert refused < 10_000
            ballast.unlink()
            _until_taken(connection, "kept")
            end = list_offset(connection, Place("kept", 0), -1)[0]
        broker.kill()
        broker.start()
        with RawConnection(broker.address) as connection:
            assert list_offset(connection, Place("kept", 0), -1)[0] == end
            assert _produce(connection, "kept").base_offset == end


def _fill(file: Any) -> None:
    try:
        while True:
            file.write(bytes(4096))
            file.flush()
    except OSError:
        pass
    finally:
        # What the buffer could not bring out must not come out at close.
        os.close(os.dup(file.fileno()))
        file.raw.close()


def _until_taken(connection: RawConnection, topic: str) -> None:
    deadline = time.monotonic() + ROOM_TIMEOUT_S
    while (answer := _produce(connection, topic)).error_code != 0:
        assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode(answer.error_code).name
        assert time.monotonic() < deadline, "there is room, and writes are still refused"


def test_a_lack_of_descriptors_pauses_accepting(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data", descriptors_max=DESCRIPTORS_MAX) as broker:
        broker.start()
        with HealthyClient(broker.address) as honest:
            honest.progress(3)
            crowd = [socket.create_connection(broker.address) for _ in range(2 * DESCRIPTORS_MAX)]
            honest.progress(100)
            assert broker.exit_code() is None
            assert "pauses" in broker.log(), broker.log_tail()
            for connection in crowd:
                connection.close()
            # Those that wait in the backlog are accepted, found closed, and the next is served.
            assert is_alive(broker.address)
            honest.progress(10)
