"""Lies to the APIs of groups and transactions over real sockets: a connection that is closed, or a code of Kafka's; and
beside them a copier in transactions and a client that are not harmed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from ottla.errors import ErrorCode
from ottla.wire.codec import decode_response, decode_response_header
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.registry import ApiKey
from tests.faults.honest_copier import HonestCopier
from tests.support.broker_process import BrokerProcess
from tests.support.healthy_client import HealthyClient
from tests.support.lying_requests import (
    COORDINATOR_KEYS,
    Words,
    cuts,
    mutated,
    nonsense,
    send_and_leave,
    versions_of,
)
from tests.support.raw import Connection
from tests.support.raw_admin import create_topic, is_alive, topic_of
from tests.support.raw_member import ASK_AGAIN, wait_coordinated

RSS_BYTES_MAX: Final = 400 << 20
IDS: Final = ("lying-0", "lying-1", "lying-2", "")
GROUPS: Final = ("lies-0", "lies-1", "lies-2", "")
NAMES: Final = [ApiKey(key).name for key in COORDINATOR_KEYS]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    settings = {
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 20,
        "group.min.session.timeout.ms": 10,
    }
    with BrokerProcess(tmp_path_factory.mktemp("bad-requests") / "data", settings) as broker:
        broker.start()
        yield broker
        assert broker.stop() == 0


@pytest.fixture(scope="module")
def honest(broker: BrokerProcess) -> Iterator[HealthyClient]:
    with HealthyClient(broker.address) as client:
        yield client


@pytest.fixture(scope="module")
def copier(broker: BrokerProcess) -> Iterator[HonestCopier]:
    with HonestCopier(broker.address) as copier:
        yield copier
        copier.check()


@pytest.fixture(autouse=True)
def unharmed(broker: BrokerProcess, honest: HealthyClient, copier: HonestCopier) -> Iterator[None]:
    """After every test: the broker lives, others go on, memory stayed within its bound, and no handler raised."""
    copier.progress(1)
    yield
    honest.progress(3)
    copier.progress(3)
    assert broker.exit_code() is None
    assert is_alive(broker.address)
    assert broker.rss_peak_bytes() < RSS_BYTES_MAX
    assert "Traceback" not in broker.log(), broker.log_tail()


@pytest.fixture(scope="module")
def words(broker: BrokerProcess) -> Words:
    """What the broker knows, and what it does not."""
    with Connection(broker.address) as connection:
        assert create_topic(connection, "t", 3) == 0
        topic_id = topic_of(connection, "t").topic_id
        wait_coordinated(connection, *filter(None, GROUPS))
        producers = [_producer(connection, each) for each in IDS if each]
    topics = ("t", "t", "gone", "__consumer_offsets", "__transaction_state", "")
    numbers = (*(producer_id for producer_id, _ in producers), -1, 2**62)
    epochs = (0, 0, 1, -1, 2**15 - 1)
    indexes = (0, 1, 2, 3, -1, 2**31 - 1)
    times_ms = (1_000, 30_000, 0, -1, 2**31 - 1)
    members = ("", "member", "x" * 200)
    return {
        "transactional_id": IDS,
        "v3_and_below_transactional_id": IDS,
        "transactional_ids": IDS,
        "transactional_id_pattern": ("lying-.*", "(", "(a|aa)+" * 50, "\\d{1000}", "", None),
        "group_id": GROUPS,
        "group_ids": GROUPS,
        "groups_names": GROUPS,
        "groups": GROUPS,
        "key": (*IDS, *GROUPS),
        "coordinator_keys": (*IDS, *GROUPS),
        "key_type": (0, 1, 2, 9, -1),
        "name": topics,
        "topic": topics,
        "topic_name": topics,
        "subscribed_topic_names": topics,
        "topic_id": (topic_id, bytes(16), b"\xff" * 16),
        "partitions": indexes,
        "partition_indexes": indexes,
        "partition_index": indexes,
        "producer_id": numbers,
        "v3_and_below_producer_id": numbers,
        "producer_id_filters": numbers,
        "producer_epoch": epochs,
        "v3_and_below_producer_epoch": epochs,
        "coordinator_epoch": (0, 1, -1, 2**31 - 1),
        "transaction_version": (0, 1, 2, 3, -1, 127),
        "transaction_timeout_ms": times_ms,
        "session_timeout_ms": times_ms,
        "rebalance_timeout_ms": times_ms,
        "duration_filter": (-1, 0, 1, 2**63 - 1, -(2**63)),
        "state_filters": ("Ongoing", "Empty", "Nonsense", ""),
        "states_filter": ("Stable", "Empty", "Nonsense", ""),
        "types_filter": ("classic", "consumer", "nonsense", ""),
        "member_id": members,
        "group_instance_id": (None, "instance", ""),
        "instance_id": (None, "instance", ""),
        "generation_id": (0, 1, -1, 2**31 - 1),
        "generation_id_or_member_epoch": (0, 1, -1, 2**31 - 1),
        "member_epoch": (0, 1, -1, -2, 2**31 - 1),
        "protocol_type": ("consumer", "", "connect"),
        "protocol_name": ("range", "", "nonsense"),
        "server_assignor": (None, "uniform", "range", "nonsense"),
        "subscribed_topic_regex": (None, "", "t.*", "(", "(x+x+)+y", "[[:alpha:]]{500}"),
        "metadata": (b"", b"\0\0", b"\0\1\0\0\0\1\0\1t\xff\xff\xff\xff", b"\x7f\xff\xff\xff" * 8),
        "assignment": (b"", b"\0\0\0\0\0\0", b"\xff" * 40),
        "committed_offset": (0, 7, -1, 2**63 - 1, -(2**63)),
        "committed_metadata": ("", None, "x" * 5_000),
    }


def _producer(connection: Connection, transactional_id: str) -> tuple[int, int]:
    connection.ask(FindCoordinatorRequest(key_type=1, coordinator_keys=(transactional_id,)), 4)
    request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=1_000)
    while (answer := connection.ask(request, 4)).error_code != 0:
        assert answer.error_code in ASK_AGAIN, ErrorCode(answer.error_code).name
        time.sleep(0.01)
    return answer.producer_id, answer.producer_epoch


@pytest.mark.parametrize("key", COORDINATOR_KEYS, ids=NAMES)
def test_requests_without_sense_are_answered(broker: BrokerProcess, words: Words, key: int) -> None:
    """Each is one that could be right. What comes is an answer that can be read; a request that waits for others gets
    none before its connection ends."""
    bits = random.Random(key)
    codes: set[int] = set()
    for version in versions_of(key):
        requests = [nonsense(key, version, bits, words) for _ in range(12)]
        with Connection(broker.address) as connection:
            data = b"".join(connection.frame(request, version) for request in requests)
        for body in _frames(send_and_leave(broker.address, data)):
            _, start = decode_response_header(key, version, body)
            codes |= set(_codes_of(decode_response(key, version, body, start)))
    unknown = codes - set(map(int, ErrorCode))
    assert not unknown, unknown
    # Kafka fails to build a marker with an epoch below zero, and says so.
    assert key == ApiKey.WRITE_TXN_MARKERS or ErrorCode.UNKNOWN_SERVER_ERROR not in codes


def _frames(data: bytes) -> Iterator[bytes]:
    while len(data) >= 4:
        length = int.from_bytes(data[:4])
        yield data[4 : 4 + length]
        data = data[4 + length :]


def _codes_of(message: Any) -> Iterator[int]:
    """All error codes in an answer."""
    for name in message.__slots__:
        value = getattr(message, name)
        if name.endswith("error_code"):
            yield value
        elif isinstance(value, tuple):
            for each in value:
                if hasattr(each, "__slots__"):
                    yield from _codes_of(each)
        elif hasattr(value, "__slots__"):
            yield from _codes_of(value)


@pytest.mark.parametrize("key", COORDINATOR_KEYS, ids=NAMES)
def test_changed_bytes_hurt_nobody(broker: BrokerProcess, words: Words, key: int) -> None:
    bits = random.Random(1_000 + key)
    versions = versions_of(key)
    with Connection(broker.address) as connection:
        frames = [connection.frame(nonsense(key, version, bits, words), version) for version in versions for _ in "abc"]
    for whole in frames:
        for _ in range(max(60 // len(frames), 2)):
            send_and_leave(broker.address, mutated(whole, bits))
        for part in cuts(whole, 3):
            send_and_leave(broker.address, part)
