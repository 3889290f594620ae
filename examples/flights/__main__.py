"""The command: `python -m examples.flights [--bootstrap HOST:PORT] [--rows N]`."""

import argparse
import contextlib
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaConsumer, TopicPartition

from confluent_kafka import KafkaError, Producer
from examples.flights.check import Tally
from examples.flights.counts import Counts, read_all
from examples.flights.group import Shared, share
from examples.flights.kills import Lives, count_and_kill
from examples.flights.rows import Event, events

PARTITIONS = 12
WAIT_S = 30.0
SHOW_EVERY = 10_000


def main() -> int:
    """0 when everything came back as it was sent."""
    parser = argparse.ArgumentParser(prog="python -m examples.flights", description=__doc__)
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a broker that runs (default: one in this process)")
    parser.add_argument("--rows", type=int, help="only the first N rows")
    options = parser.parse_args()
    flights = read(options.rows)
    with broker(options.bootstrap) as bootstrap, fresh_topic(bootstrap) as topic:
        produce_s = produce(bootstrap, topic, flights)
        back, consume_s = consume(bootstrap, topic, len(flights))
        shared, shared_s = share_among_four(bootstrap, topic, len(flights))
        committed = committed_events(bootstrap, topic)
        with fresh_topic(bootstrap) as target:
            lives, counted_s = count_in_transactions(bootstrap, topic, target, len(flights))
            counts = Counts.committed(bootstrap, target)
            written, valid = (records(bootstrap, target, f"read_{which}committed") for which in ("un", ""))
    sent, received = Tally.of(flights), Tally.of(back)
    sent_bytes = sum(len(event.value) for event in flights)
    print(f"{'':10}{'events/s':>12}{'MB/s':>8}{'seconds':>9}")
    timings = (("produced", produce_s), ("consumed", consume_s), ("shared", shared_s), ("counted", counted_s))
    for what, seconds in timings:
        print(f"{what:10}{sent.count / seconds:12,.0f}{sent_bytes / seconds / 1e6:8.1f}{seconds:9.1f}")
    print_carriers([json.loads(event.value) for event in back])
    if wrong := sent.difference(received):
        print(f"WRONG: {wrong}")
        return 1
    print(f"\n{sent.count:,} events of {len(sent.chains):,} aircraft: all came back, each aircraft's in order.")
    print("\nA group of four, one of them killed half way:\n", *shared.table(), sep="\n")
    if wrong := sent.difference(Tally.of(shared.in_order())):
        print(f"WRONG in the group: {wrong}")
        return 1
    if committed != sent.count:
        print(f"WRONG in the group: it has committed {committed:,} of {sent.count:,} events")
        return 1
    print("\nIts result is the same, each aircraft's events once and in order, and it has committed all it read.")
    print(f"\nA job that counts late flights in transactions, killed {len(lives.kills)} times:\n")
    print(*lives.table(), "", *counts.table(), sep="\n")
    if wrong := Counts.of(flights).difference(counts):
        print(f"WRONG in the counts: {wrong}")
        return 1
    print(f"\nThe counts of all {len(counts.flights)} airports are exact. Of {written:,} records that were written,")
    print(
        f"{written - valid:,} are of transactions that a kill undid, and who reads what is committed never sees them."
    )
    return 0


def share_among_four(bootstrap: str, topic: str, count: int) -> tuple[Shared, float]:
    start, shown = time.perf_counter(), 0

    def show(read: int) -> None:
        nonlocal shown
        if read // SHOW_EVERY > shown:
            shown = read // SHOW_EVERY
            progress("shared", read, start)

    shared, seconds = share(bootstrap, topic, group_of(topic), count, show)
    progress("shared", count, start, done=True)
    return shared, seconds


def count_in_transactions(bootstrap: str, topic: str, target: str, count: int) -> tuple[Lives, float]:
    start, shown = time.perf_counter(), 0

    def show(done: int) -> None:
        nonlocal shown
        if done // SHOW_EVERY > shown:
            shown = done // SHOW_EVERY
            progress("counted", done, start)

    lives, seconds = count_and_kill(bootstrap, topic, target, count, show=show)
    progress("counted", count, start, done=True)
    return lives, seconds


def records(bootstrap: str, topic: str, isolation: str) -> int:
    return sum(1 for _ in read_all(bootstrap, topic, isolation))


def group_of(topic: str) -> str:
    return f"group-{topic}"


def committed_events(bootstrap: str, topic: str) -> int:
    """How many events lie before the positions that the group has committed."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=group_of(topic))
    try:
        return sum(consumer.committed(TopicPartition(topic, partition)) or 0 for partition in range(PARTITIONS))
    finally:
        consumer.close()


@contextlib.contextmanager
def broker(bootstrap: str | None) -> Iterator[str]:
    if bootstrap:
        yield bootstrap
        return
    from ottla.testing import Broker

    with Broker() as inside:
        print(f"an Ottla broker in this process serves {inside.bootstrap_servers}")
        yield inside.bootstrap_servers


@contextlib.contextmanager
def fresh_topic(bootstrap: str) -> Iterator[str]:
    """A topic for this run, deleted after it."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topic = f"flights-{time.time_ns() // 1_000_000}"
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(WAIT_S)
    try:
        yield topic
    finally:
        admin.delete_topics([topic])[topic].result(WAIT_S)


def read(rows: int | None) -> list[Event]:
    start, out = time.perf_counter(), []
    for event in itertools.islice(events(), rows):
        out.append(event)
        if len(out) % SHOW_EVERY == 0:
            progress("read", len(out), start)
    progress("read", len(out), start, done=True)
    return out


def produce(bootstrap: str, topic: str, flights: Sequence[Event]) -> float:
    """The seconds until every event was acknowledged."""
    settings: dict[str, Any] = {"enable.idempotence": True, "compression.codec": "lz4", "linger.ms": 20}
    producer = Producer({"bootstrap.servers": bootstrap, **settings})
    failed = Counter[str]()

    def delivered(error: KafkaError | None, _message: Any) -> None:
        if error is not None:
            failed[error.str()] += 1

    start = time.perf_counter()
    for number, event in enumerate(flights, 1):
        while True:
            try:
                producer.produce(topic, event.value, event.key, on_delivery=delivered)
                break
            except BufferError:  # its queue is full: let it deliver
                producer.poll(0.1)
        if number % SHOW_EVERY == 0:
            producer.poll(0)
            progress("produced", number, start)
    left = producer.flush(WAIT_S)
    seconds = time.perf_counter() - start
    progress("produced", len(flights) - left, start, done=True)
    if left or failed:
        raise SystemExit(f"flights: {left} events were not sent, and these failed: {dict(failed)}")
    return seconds


def consume(bootstrap: str, topic: str, count: int) -> tuple[list[Event], float]:
    """What came back, and the seconds it took. No group: all partitions, from their beginning."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, consumer_timeout_ms=WAIT_S * 1000)
    places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    consumer.assign(places)
    consumer.seek_to_beginning()
    out: list[Event] = []
    start = time.perf_counter()
    for message in consumer:
        out.append(Event(message.key, message.value))
        if len(out) % SHOW_EVERY == 0:
            progress("consumed", len(out), start)
        if len(out) == count:
            break
    seconds = time.perf_counter() - start
    progress("consumed", len(out), start, done=True)
    ends = sum(consumer.end_offsets(places).values())
    consumer.close()
    if ends != count:
        raise SystemExit(f"flights: {count:,} events were sent, and the partitions end after {ends:,}")
    return out, seconds


def progress(what: str, count: int, start: float, *, done: bool = False) -> None:
    """One line that is written over, for a person who waits."""
    if sys.stderr.isatty():
        rate = count / max(time.perf_counter() - start, 1e-9)
        print(f"\r{what} {count:9,} events, {rate:9,.0f}/s", end="\n" if done else "", file=sys.stderr, flush=True)


def print_carriers(flights: list[dict[str, Any]], most: int = 5) -> None:
    """The carriers with the most flights, and how late they left."""
    print(f"\n{'carrier':10}{'flights':>12}{'cancelled':>11}{'mean delay':>12}")
    counts = Counter(flight["carrier"] for flight in flights)
    for carrier, count in counts.most_common(most):
        delays = [f["dep_delay"] for f in flights if f["carrier"] == carrier and f["dep_delay"] is not None]
        mean = sum(delays) / max(len(delays), 1)
        print(f"{carrier:10}{count:12,}{count - len(delays):11,}{mean:8.1f} min")


if __name__ == "__main__":
    sys.exit(main())
