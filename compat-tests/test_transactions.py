"""What transactional producers do all day, each scenario once for each library that has one.

Who reads is librdkafka, which knows what is committed and what is not; what is tested is what producers and the broker
make of each other. The Java clients of 4.4 leave it to the broker to add partitions to transactions (KIP-890), all
others do that themselves.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from benchmarks.failure import Skipped
from benchmarks.peers import Broker, Peer

from compat_support.client import WAIT_S, Client, Patient, ProduceOptions, Record, connect
from compat_support.transactions import TIMEOUT_MS, Ended, Transactor, open_transactor
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

FOLDERS = {
    "kafka_python": "kafka_python",
    "confluent_kafka": "confluent_kafka",
    "aiokafka": "aiokafka",
    "franz_go": "franz_go",
    "java 4.4": "java_producer:4.4",
    "java 3.9": "java_producer:3.9",
    "java 2.8": "java_producer:2.8",
}
PARTITIONS = 3
SHORT_MS = 2_000
"""A timeout for those who are to run into it."""

pytestmark = pytest.mark.parametrize("client_name", FOLDERS)

Open = Callable[..., Transactor]


@pytest.fixture
def client(bootstrap: str, topic: str, pytestconfig: pytest.Config) -> Client:
    found = connect("confluent_kafka", bootstrap)
    patient = found if pytestconfig.getoption("--broker") == "ottla" else Patient(found)
    patient.create_topic(topic, partitions=PARTITIONS)
    return patient


@pytest.fixture
def transactional_id() -> str:
    return f"id-{uuid.uuid4()}"


@pytest.fixture
def start(client_name: str, bootstrap: str, transactional_id: str) -> Iterator[Open]:
    """start(): one more producer, with the id of the test. All are closed in the end."""
    opened: list[Transactor] = []

    def one(timeout_ms: int = TIMEOUT_MS) -> Transactor:
        try:
            opened.append(open_transactor(FOLDERS[client_name], bootstrap, transactional_id, timeout_ms))
        except Skipped as why:
            pytest.skip(str(why))
        return opened[-1]

    yield one
    for each in opened:
        each.close()


def read(bootstrap: str, topic: str, count: int, isolation: str = "read_committed") -> list[bytes]:
    """The first so many records of all partitions, and one more if there is one: it would be one too many."""
    settings = {"bootstrap.servers": bootstrap, "group.id": "reader", "isolation.level": isolation}
    consumer = Consumer(settings | {"enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)])
        found: list[bytes] = []
        deadline = time.monotonic() + WAIT_S
        while len(found) < count and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                value = message.value()
                assert value is not None
                found.append(value)
        more = consumer.poll(0.3)
        assert more is None or more.error() is not None, f"more than {count} records: {more.value()!r}"
        return found
    finally:
        consumer.close()


def committed(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    try:
        places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        found = consumer.committed(places, timeout=WAIT_S)
        return {each.partition: each.offset for each in found if each.offset >= 0}
    finally:
        consumer.close()


def values(name: str, count: int = 10) -> list[bytes]:
    return [f"{name}-{number}".encode() for number in range(count)]


def test_what_is_committed_is_read(client: Client, topic: str, bootstrap: str, start: Open) -> None:
    producer = start()
    for name, commits in (("a", True), ("b", False), ("c", True), ("d", False)):
        producer.begin()
        for partition in range(PARTITIONS):
            producer.send(topic, partition, values(f"{name}{partition}"))
        producer.commit() if commits else producer.abort()
    wanted = [value for name in "ac" for partition in range(PARTITIONS) for value in values(f"{name}{partition}")]
    assert sorted(read(bootstrap, topic, len(wanted))) == sorted(wanted)
    assert len(read(bootstrap, topic, 2 * len(wanted), "read_uncommitted")) == 2 * len(wanted)


def test_what_is_open_is_not_read(client: Client, topic: str, bootstrap: str, start: Open) -> None:
    producer = start()
    producer.begin()
    producer.send(topic, 0, values("open"))
    client.produce(topic, [Record(None, b"behind it")], ProduceOptions(), partition=0)
    assert read(bootstrap, topic, 0) == []
    producer.commit()
    assert read(bootstrap, topic, 11) == [*values("open"), b"behind it"]


def test_many_transactions_one_after_the_other(client: Client, topic: str, bootstrap: str, start: Open) -> None:
    producer = start()
    for number in range(50):
        producer.begin()
        producer.send(topic, number % PARTITIONS, values(str(number), 2))
        producer.commit()
    assert len(read(bootstrap, topic, 100)) == 100


def test_a_new_producer_shuts_the_old_one_out(client: Client, topic: str, bootstrap: str, start: Open) -> None:
    old = start()
    old.begin()
    old.send(topic, 0, values("old"))
    new = start()
    with pytest.raises(Ended):
        old.commit()
    new.begin()
    new.send(topic, 0, values("new"))
    new.commit()
    assert read(bootstrap, topic, 10) == values("new")


def test_offsets_are_committed_with_it(
    client_name: str, client: Client, topic: str, bootstrap: str, start: Open
) -> None:
    if client_name == "franz_go":
        pytest.skip("commits offsets in sessions of groups alone")
    group = f"group-of-{topic}"
    producer = start()
    producer.begin()
    producer.send(topic, 0, values("in"))
    producer.send_offsets(group, topic, {0: 5, 1: 7})
    producer.commit()
    assert committed(bootstrap, group, topic) == {0: 5, 1: 7}
    producer.begin()
    producer.send_offsets(group, topic, {0: 9, 2: 9})
    producer.abort()
    assert committed(bootstrap, group, topic) == {0: 5, 1: 7}
    producer.begin()
    producer.send_offsets(group, topic, {0: 10})
    producer.commit()
    assert committed(bootstrap, group, topic) == {0: 10, 1: 7}


def test_a_group_transforms(client_name: str, client: Client, topic: str, bootstrap: str, start: Open) -> None:
    producer = start()
    if client_name != "franz_go":
        pytest.skip("has no session for that")
    target = f"{topic}-out"
    client.create_topic(target, partitions=PARTITIONS)
    for partition in range(PARTITIONS):
        records = [Record(None, value) for value in values(str(partition))]
        client.produce(topic, records, ProduceOptions(), partition=partition)
    producer.transform(f"group-of-{topic}", topic, target, 30)  # type: ignore[attr-defined]
    wanted = [value for partition in range(PARTITIONS) for value in values(str(partition))]
    assert sorted(read(bootstrap, target, 30)) == sorted(wanted)
    assert committed(bootstrap, f"group-of-{topic}", topic) == dict.fromkeys(range(PARTITIONS), 10)


def test_who_takes_too_long_is_aborted(client: Client, topic: str, bootstrap: str, start: Open) -> None:
    producer = start(SHORT_MS)
    producer.begin()
    producer.send(topic, 0, values("late"))
    client.produce(topic, [Record(None, b"behind it")], ProduceOptions(), partition=0)
    assert read(bootstrap, topic, 1) == [b"behind it"]
    with pytest.raises(Ended):
        producer.commit()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_broker_comes_back(
    client_name: str, topic: str, transactional_id: str, peer: Peer, tmp_path: Path, how: str
) -> None:
    """In the middle of a transaction, which goes on."""
    broker: Broker = peer.create(tmp_path / peer.name)
    broker.start()
    try:
        connect("confluent_kafka", broker.bootstrap).create_topic(topic, partitions=PARTITIONS)
        try:
            producer = open_transactor(FOLDERS[client_name], broker.bootstrap, transactional_id)
        except Skipped as why:
            pytest.skip(str(why))
        for name in "ab":
            producer.begin()
            producer.send(topic, 0, values(f"{name}-before"))
            if name == "b":
                broker.stop() if how == "stop" else broker.kill()
                broker.start()
            producer.send(topic, 1, values(f"{name}-after"))
            producer.commit()
        producer.begin()
        producer.send(topic, 2, values("c"))
        producer.abort()
        producer.close()
        wanted = [value for name in "ab" for when in ("before", "after") for value in values(f"{name}-{when}")]
        assert sorted(read(broker.bootstrap, topic, 40)) == sorted(wanted)
    finally:
        broker.stop()
