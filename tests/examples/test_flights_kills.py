"""The third part of the flights example: a job is killed again and again, and what it counted stays exact."""

import itertools

from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from examples.flights.counter import STEPS
from examples.flights.counts import Counts, read_all
from examples.flights.kills import KILLS, Kill, Lives, Point, count_and_kill, points
from examples.flights.rows import Event, events

from confluent_kafka import Producer
from ottla.testing import Broker

SOURCE, TARGET = "flights", "counts"
ROWS = 10_000
PARTITIONS = 3
WAIT_S = 30.0


def flight(airport: str, delay: int | None) -> Event:
    minutes = "null" if delay is None else str(delay)
    return Event(None, f'{{"dest":"{airport}","arr_delay":{minutes}}}'.encode())


def test_a_flight_is_late_after_a_quarter_of_an_hour() -> None:
    counts = Counts.of([flight("ORD", 14), flight("ORD", 15), flight("ATL", None), flight("ATL", -3)])
    assert counts == Counts({"ORD": 2, "ATL": 2}, {"ORD": 1, "ATL": 0})


def test_counts_are_kept_and_restored() -> None:
    counts, restored = Counts.of([flight("ORD", 20), flight("ATL", 0)]), Counts()
    for airport in counts.flights:
        restored.restore(airport.encode(), counts.record_of(airport))
    assert restored == counts
    assert restored.add(flight("ORD", 0).value) == "ORD"
    assert counts.difference(restored) == "ORD had 1 flights, 1 of them late; counted were (2, 1)"
    assert counts.difference(Counts()) == "ATL had 1 flights, 0 of them late; counted were (0, 0)"


def test_points_come_from_the_seed() -> None:
    drawn = points(ROWS, KILLS, 1)
    assert drawn == points(ROWS, KILLS, 1) != points(ROWS, KILLS, 2)
    assert sorted(point.step for point in drawn) == sorted(STEPS * (KILLS // len(STEPS)))
    assert drawn == sorted(drawn, key=lambda point: point.event)
    assert all(0 <= point.event < ROWS for point in drawn)


def test_a_point_is_reached_in_its_step_or_missed() -> None:
    point = Point(1500, "writing", 0)
    assert not point.is_reached("writing", 1500, 3000)
    assert not point.is_reached("committing", 2000, 3000)
    assert point.is_reached("writing", 2000, 3000)
    assert not point.is_reached("reading", 2000, 3000)
    assert point.is_reached("reading", 3000, 3000)


def test_the_table() -> None:
    lives = Lives()
    lives.begins_at(0)
    for done, began in ((1000, 0), (2000, 2000)):
        lives.kills.append(Kill("committing", done))
        lives.begins_at(began)
    assert list(lives.table()) == [
        "killed while      times  undone  counted again",
        "reading               0       0              0",
        "writing               0       0              0",
        "sending offsets       0       0              0",
        "committing            2       1          1,000",
    ]


def fill(bootstrap: str, flights: list[Event]) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for created in admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in (SOURCE, TARGET)]).values():
        created.result(WAIT_S)
    producer = Producer({"bootstrap.servers": bootstrap})
    for each in flights:
        producer.produce(SOURCE, each.value, each.key)
    assert producer.flush(WAIT_S) == 0


def test_a_job_is_killed() -> None:
    flights = list(itertools.islice(events(), ROWS))
    with Broker() as broker:
        fill(broker.bootstrap_servers, flights)
        lives, _ = count_and_kill(broker.bootstrap_servers, SOURCE, TARGET, ROWS, kills=4)
        counts = Counts.committed(broker.bootstrap_servers, TARGET)
        written, valid = (
            sum(1 for _ in read_all(broker.bootstrap_servers, TARGET, f"read_{which}committed")) for which in ("un", "")
        )
    assert Counts.of(flights).difference(counts) == ""
    assert len(lives.kills) == len(lives.again) == 4
    assert all(again >= 0 for again in lives.again)
    assert written >= valid >= len(counts.flights)
