"""What consumer groups do all day, each scenario once for each library that has one, with members in threads."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.failure import Skipped
from benchmarks.peers import Broker, Peer

from compat_support.client import Client, Patient, ProduceOptions, Record, connect
from compat_support.groups import MemberOptions, Running, counts, prepare, shared, until

NEW = "confluent (848)"
"""librdkafka with `group.protocol=consumer`."""
OUTSIDE = ("franz_go", "franz_go (848)", "java", "java (848)")
"""Members in other processes."""
CLIENTS = ("kafka_python", "confluent_kafka", "aiokafka", NEW, *OUTSIDE)
LIBRARIES = {
    NEW: "confluent_kafka",
    "franz_go (848)": "franz_go",
    "java": "java_consumer",
    "java (848)": "java_consumer",
}
PARTITIONS = 6
DEFAULTS = ProduceOptions()
BY_KEY = None

pytestmark = pytest.mark.parametrize("client_name", CLIENTS)

Start = Callable[..., Running]


def library(client_name: str) -> str:
    return LIBRARIES.get(client_name, client_name)


def companion(client_name: str) -> str:
    """The library that creates topics and writes to them: no process for each operation."""
    return "confluent_kafka" if client_name in OUTSIDE else library(client_name)


@pytest.fixture(autouse=True)
def prepared(client_name: str) -> None:
    try:
        prepare(library(client_name))
    except Skipped as why:
        pytest.skip(str(why))


@pytest.fixture
def client(client_name: str, bootstrap: str, pytestconfig: pytest.Config) -> Client:
    """One client, new, of the library."""
    found = connect(companion(client_name), bootstrap)
    return found if pytestconfig.getoption("--broker") == "ottla" else Patient(found)


@pytest.fixture
def options(client_name: str, topic: str) -> MemberOptions:
    protocol = "consumer" if client_name.endswith("(848)") else "classic"
    return MemberOptions(group=f"group-of-{topic}", topics=(topic,), protocol=protocol)


@pytest.fixture
def start(client_name: str, bootstrap: str, options: MemberOptions) -> Iterator[Start]:
    """start(…): one more member; the words change its options. All are closed in the end."""
    started: list[Running] = []

    def one(**changes: object) -> Running:
        member = Running(library(client_name), bootstrap, replace(options, **changes))  # type: ignore[arg-type]
        started.append(member)
        return member

    with contextlib.ExitStack() as closing:
        yield one
        for member in started:
            closing.callback(member.close)


def values(first: int, end: int) -> list[Record]:
    return [Record(f"key-{number}".encode(), str(number).encode()) for number in range(first, end)]


def fill(client: Client, topic: str, first: int, end: int) -> None:
    client.produce(topic, values(first, end), DEFAULTS, partition=BY_KEY)


def numbers(first: int, end: int) -> set[bytes]:
    return {str(number).encode() for number in range(first, end)}


def test_a_member_reads_everything(client: Client, topic: str, start: Start) -> None:
    client.create_topic(topic, partitions=PARTITIONS)
    fill(client, topic, 0, 300)
    member = start()
    until(lambda: len(member.received) >= 300, "300 records", [member])
    assert set(member.values) == numbers(0, 300)
    assert len(member.received) == 300


def test_the_next_one_goes_on(client: Client, topic: str, start: Start) -> None:
    client.create_topic(topic, partitions=PARTITIONS)
    fill(client, topic, 0, 300)
    first = start(auto_commit=False)
    until(lambda: len(first.received) >= 300, "300 records", [first])
    first.commit()
    first.close()
    fill(client, topic, 300, 400)
    second = start()
    until(lambda: len(second.received) >= 100, "100 more records", [second])
    assert set(second.values) == numbers(300, 400)


def test_who_commits_nothing_reads_again(client: Client, topic: str, start: Start) -> None:
    client.create_topic(topic)
    fill(client, topic, 0, 10)
    for _ in range(2):
        member = start(auto_commit=False)
        until(lambda: len(member.received) >= 10, "10 records", [member])  # noqa: B023
        assert member.committed(0) is None
        member.close()
        assert set(member.values) == numbers(0, 10)


def test_leaving_commits(client: Client, topic: str, start: Start) -> None:
    client.create_topic(topic)
    fill(client, topic, 0, 10)
    first = start()
    until(lambda: len(first.received) >= 10, "10 records", [first])
    first.close()
    second = start()
    until(lambda: second.assigned == {0}, "the partition", [second])
    assert second.committed(0) == 10


def test_members_share(client: Client, topic: str, start: Start) -> None:
    client.create_topic(topic, partitions=PARTITIONS)
    members = [start() for _ in range(3)]
    until(lambda: shared(members, PARTITIONS), "three have all partitions", members)
    fill(client, topic, 0, 300)
    until(lambda: sum(counts(members).values()) >= 300, "300 records", members)
    assert counts(members) == dict.fromkeys(numbers(0, 300), 1)


def test_a_member_leaves(client: Client, topic: str, start: Start) -> None:
    client.create_topic(topic, partitions=PARTITIONS)
    members = [start() for _ in range(2)]
    until(lambda: shared(members, PARTITIONS), "two have all partitions", members)
    members[0].close()
    until(lambda: members[1].assigned == set(range(PARTITIONS)), "the other has all", members[1:])
    fill(client, topic, 0, 100)
    until(lambda: len(members[1].received) >= 100, "100 records", members[1:])
    assert counts(members) == dict.fromkeys(numbers(0, 100), 1)


def test_members_come_and_go_under_load(client: Client, topic: str, start: Start) -> None:
    """Members commit what they give up, so that nothing is read twice either."""
    client.create_topic(topic, partitions=PARTITIONS)
    written = [0]
    stopped = threading.Event()

    def write() -> None:
        while not stopped.is_set():
            fill(client, topic, written[0], written[0] + 50)
            written[0] += 50

    writer = threading.Thread(target=write)
    writer.start()
    members: list[Running] = []
    try:
        for count in range(1, 4):
            members.append(start())
            until(lambda: shared(members, PARTITIONS), f"{count} share", members)
        members[0].close()
        until(lambda: shared(members[1:], PARTITIONS), "two share", members[1:])
        members[1].close()
        until(lambda: shared(members[2:], PARTITIONS), "one has all", members[2:])
    finally:
        stopped.set()
        writer.join()
    until(lambda: len(counts(members)) >= written[0], f"all {written[0]} records", members[2:])
    assert counts(members) == dict.fromkeys(numbers(0, written[0]), 1)


def test_several_topics(client: Client, topic: str, start: Start) -> None:
    topics = [topic, f"{topic}-b", f"{topic}-c"]
    for name in topics:
        client.create_topic(name, partitions=2)
    members = [start(topics=tuple(topics)) for _ in range(2)]
    for index, name in enumerate(topics):
        fill(client, name, index * 100, index * 100 + 100)
    until(lambda: len(counts(members)) >= 300, "300 records", members)
    assert set(counts(members)) == numbers(0, 300)


def test_a_topic_grows(client: Client, topic: str, start: Start) -> None:
    client.create_topic(topic, partitions=2)
    members = [start() for _ in range(2)]
    until(lambda: shared(members, 2), "each has one", members)
    client.add_partitions(topic, 4)
    until(lambda: shared(members, 4), "both have some", members)


def test_a_static_member_returns(client_name: str, client: Client, topic: str, start: Start) -> None:
    """Who comes back in time takes up its own partitions, and the other never hears of it."""
    if client_name == "franz_go (848)":
        pytest.skip("franz-go 1.22 leaves without its instance id, and must wait for its session to end; so with Kafka")
    client.create_topic(topic, partitions=PARTITIONS)
    names = ("a", "b")
    members = [start(instance=name) for name in names]
    until(lambda: shared(members, PARTITIONS), "two have all partitions", members)
    before = [set(member.assigned) for member in members]
    members[0].close()
    again = start(instance="a")
    until(lambda: again.assigned == before[0], "it has what it had", [again, members[1]])
    assert members[1].assigned == before[1]


def test_cooperative(client_name: str, client: Client, topic: str, start: Start) -> None:
    if client_name not in ("confluent_kafka", "franz_go", "java"):
        pytest.skip("has no cooperative assignor, or its own")
    client.create_topic(topic, partitions=PARTITIONS)
    members = [start(cooperative=True)]
    until(lambda: shared(members, PARTITIONS), "one has all", members)
    members.append(start(cooperative=True))
    until(lambda: shared(members, PARTITIONS), "two share", members)
    fill(client, topic, 0, 200)
    until(lambda: len(counts(members)) >= 200, "200 records", members)
    assert counts(members) == dict.fromkeys(numbers(0, 200), 1)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_broker_comes_back(
    client_name: str, topic: str, options: MemberOptions, peer: Peer, tmp_path: Path, how: str
) -> None:
    """What was committed is there, and the group goes on where it was."""
    broker: Broker = peer.create(tmp_path / peer.name)
    broker.start()
    options = replace(options, auto_commit=False)
    try:
        client = connect(companion(client_name), broker.bootstrap)
        client.create_topic(topic, partitions=2)
        fill(client, topic, 0, 100)
        with Running(library(client_name), broker.bootstrap, options) as member:
            until(lambda: len(member.received) >= 100, "100 records", [member])
            member.commit()
            committed = [member.committed(partition) for partition in range(2)]
            assert sum(offset or 0 for offset in committed) == 100

            broker.stop() if how == "stop" else broker.kill()
            broker.start()
            fill(connect(companion(client_name), broker.bootstrap), topic, 100, 200)
            until(lambda: len(counts([member])) >= 200, "100 more records", [member])
            assert [member.committed(partition) for partition in range(2)] == committed
            member.commit()
        with Running(library(client_name), broker.bootstrap, options) as another:
            until(lambda: another.assigned == {0, 1}, "both partitions", [another])
            assert sum(another.committed(partition) or 0 for partition in range(2)) == 200
    finally:
        broker.stop()
