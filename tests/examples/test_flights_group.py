"""The second part of the flights example: a group loses a member, and its result stays exact."""

import itertools

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from examples.flights.check import Tally
from examples.flights.group import MEMBERS, Shared, share
from examples.flights.rows import Event, events

from confluent_kafka import Producer
from ottla.testing import Broker

TOPIC = "flights"
ROWS = 30_000
PARTITIONS = 12
WAIT_S = 30.0


def test_what_is_read_again_is_recognised_by_its_place() -> None:
    shared = Shared()
    shared.add(0, b"3 0 N1 {}\n")
    shared.add(0, b"3 1 - {}\n")
    shared.add(1, b"3 1 - {}\n")
    shared.add(1, b"3 2 N1 {}\n")
    assert shared.in_order() == [Event(b"N1", b"{}"), Event(None, b"{}"), Event(b"N1", b"{}")]
    assert [(member.read, member.again) for member in shared.members[:2]] == [(2, 0), (2, 1)]


def test_two_events_at_one_place() -> None:
    shared = Shared()
    shared.add(0, b"3 0 N1 {}\n")
    with pytest.raises(ValueError, match="partition 3 has two events at offset 0"):
        shared.add(1, b"3 0 N2 {}\n")


@pytest.mark.parametrize(("lines", "lacks"), [((b"3 1 - {}\n",), 0), ((b"3 0 - {}\n", b"3 2 - {}\n"), 1)])
def test_a_lost_event(lines: tuple[bytes, ...], lacks: int) -> None:
    shared = Shared()
    for line in lines:
        shared.add(0, line)
    with pytest.raises(SystemExit, match=f"partition 3 lacks offset {lacks}"):
        shared.in_order()


def test_the_table() -> None:
    shared = Shared()
    shared.add(0, b"3 0 N1 {}\n")
    shared.add(1, b"7 0 N1 {}\n")
    shared.add(1, b"3 0 N1 {}\n")
    shared.members[0].killed = True
    assert list(shared.table())[:3] == [
        "member         read   again  partitions",
        "1 killed          1       0  3",
        "2                 2       1  7 3",
    ]


def produce(bootstrap: str, flights: list[Event]) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(WAIT_S)
    producer = Producer({"bootstrap.servers": bootstrap, "compression.codec": "lz4"})
    for flight in flights:
        producer.produce(TOPIC, flight.value, flight.key)
    assert producer.flush(WAIT_S) == 0


def test_a_member_is_killed() -> None:
    flights = list(itertools.islice(events(), ROWS))
    with Broker() as broker:
        produce(broker.bootstrap_servers, flights)
        shared, _ = share(broker.bootstrap_servers, TOPIC, "group", ROWS)
    assert Tally.of(flights).difference(Tally.of(shared.in_order())) == ""
    (victim,) = (member for member in shared.members if member.killed)
    others = [member for member in shared.members if member is not victim]
    assert len(others) == MEMBERS - 1
    taken_over = set(victim.partitions) & {partition for member in others for partition in member.partitions}
    assert taken_over, "what the victim had was read to its end by nobody else"
