"""Damage below the recovery point: what was flushed and is not there any more makes its partition refuse, and that one
alone.

The error names file and byte; nothing is cut off silently; put right by hand, the partition serves again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from ottla.errors import ErrorCode
from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.k01_fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.wire.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from tests.faults.ledger import Place
from tests.faults.load import list_offset
from tests.support.broker_process import BrokerProcess, partition_directories
from tests.support.lying_batches import batch_of
from tests.support.raw import Connection
from tests.support.raw_admin import create_topic

BATCHES: Final = 40
CLEAN_MARKER: Final = ".kafka_cleanshutdown"
REMOVED_TIMEOUT_S: Final = 60.0


def _produce(connection: Connection, partition: int) -> Any:
    data = PartitionProduceData(index=partition, records=batch_of(3, int(time.time() * 1000), b"x" * 300))
    named = TopicProduceData(name="t", partition_data=(data,))
    request = ProduceRequest(transactional_id=None, acks=-1, timeout_ms=30_000, topic_data=(named,))
    return connection.ask(request, 9).responses[0].partition_responses[0]


def _fetch_code(connection: Connection, partition: int) -> int:
    wanted = FetchPartition(partition=partition, fetch_offset=0, partition_max_bytes=1 << 20)
    request = FetchRequest(
        replica_id=-1, max_wait_ms=0, min_bytes=0, topics=(FetchTopic(topic="t", partitions=(wanted,)),)
    )
    code: int = connection.ask(request, 12).responses[0].partitions[0].error_code
    return code


def _cut(log: Path) -> int:
    """Half of the file is gone: the first batch that is not whole is at fault."""
    content = log.read_bytes()
    log.write_bytes(content[: len(content) // 2])
    size = int.from_bytes(content[8:12]) + 12
    return len(content) // 2 // size * size


def _zeroed(log: Path) -> int:
    content = log.read_bytes()
    size = int.from_bytes(content[8:12]) + 12
    at = len(content) - size
    log.write_bytes(content[:at] + bytes(size))
    return at


def _garbled(log: Path) -> int:
    """The last batch says that it is of magic 7."""
    content = bytearray(log.read_bytes())
    at = len(content) - int.from_bytes(content[8:12]) - 12
    content[at + 16] = 7
    log.write_bytes(content)
    return at


def _emptied(log: Path) -> int:
    log.write_bytes(b"")
    return 0


@pytest.mark.parametrize("harm", [_cut, _zeroed, _garbled, _emptied])
def test_only_the_partition_that_is_damaged_refuses(tmp_path: Path, harm: Callable[[Path], int]) -> None:
    with BrokerProcess(tmp_path / "data", {"log.index.interval.bytes": 4096}) as broker:
        broker.start()
        with Connection(broker.address) as connection:
            assert create_topic(connection, "t", 3) == 0
            for partition in range(3):
                for _ in range(BATCHES):
                    assert _produce(connection, partition).error_code == 0
        # A clean stop flushes all and says so; without the marker it is a crash of which everything was flushed.
        assert broker.stop() == 0
        (broker.data_dir / CLEAN_MARKER).unlink()
        (log,) = partition_directories(broker.data_dir, "t")[1].glob("*.log")
        sound = log.read_bytes()
        position = harm(log)
        harmed = log.read_bytes()

        broker.start()
        with Connection(broker.address) as connection:
            for partition in (0, 2):
                assert list_offset(connection, Place("t", partition), -1)[0] == 3 * BATCHES
                assert _produce(connection, partition).base_offset == 3 * BATCHES
                assert _fetch_code(connection, partition) == 0
            assert _produce(connection, 1).error_code == ErrorCode.KAFKA_STORAGE_ERROR
            assert _fetch_code(connection, 1) == ErrorCode.KAFKA_STORAGE_ERROR
        assert log.read_bytes() == harmed, "evidence was changed"
        said = broker.wait_said(log.name)
        assert "t-1" in said
        assert re.search(rf"\b{position:,}\b|\b{position}\b", said), f"byte {position} is not named: {said}"

        broker.kill()
        log.write_bytes(sound)
        broker.start()
        with Connection(broker.address) as connection:
            assert _produce(connection, 1).base_offset == 3 * BATCHES


def test_a_damaged_partition_goes_with_its_topic(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data", {"log.segment.delete.delay.ms": 0}) as broker:
        broker.start()
        with Connection(broker.address) as connection:
            assert create_topic(connection, "t", 2) == 0
            assert _produce(connection, 1).error_code == 0
        assert broker.stop() == 0
        (broker.data_dir / CLEAN_MARKER).unlink()
        (log,) = partition_directories(broker.data_dir, "t")[1].glob("*.log")
        _emptied(log)
        broker.start()
        with Connection(broker.address) as connection:
            assert _produce(connection, 1).error_code == ErrorCode.KAFKA_STORAGE_ERROR
            request = DeleteTopicsRequest(topics=(DeleteTopicState(name="t"),), timeout_ms=30_000)
            assert connection.ask(request, 6).responses[0].error_code == 0
            deadline = time.monotonic() + REMOVED_TIMEOUT_S
            while left := [path.name for path in broker.data_dir.iterdir() if path.name.startswith("t-")]:
                assert time.monotonic() < deadline, left
                time.sleep(0.02)
            # A new one of that name begins empty.
            assert create_topic(connection, "t", 2) == 0
            assert _produce(connection, 1).base_offset == 0
