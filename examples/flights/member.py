"""One member of the group, a process of its own: `python -m examples.flights.member BOOTSTRAP TOPIC GROUP`.

It writes each event that it reads to its standard output, as a line of partition, offset, key and value, and commits
its positions after that. So what is committed was written; what was written is committed a moment later, or read again
by whoever has the partition next. SIGTERM makes it leave the group.
"""

import signal
import sys
import threading

from confluent_kafka import Consumer, KafkaException, TopicPartition

BATCH = 2000
SESSION_MS = 6_000
"""So long a group waits for a member that was killed. Brokers take no less, unless they are told to."""


def main() -> None:
    bootstrap, topic, group = sys.argv[1:]
    left = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: left.set())
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "session.timeout.ms": SESSION_MS,
            "heartbeat.interval.ms": 500,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    while not left.is_set():
        positions = write(consumer)
        sys.stdout.buffer.flush()
        if positions:
            commit(consumer, [TopicPartition(topic, *position) for position in positions.items()])
    consumer.close()


def write(consumer: Consumer) -> dict[int, int]:
    """Write the next events out; the positions after them, by partition."""
    positions: dict[int, int] = {}
    for message in consumer.consume(BATCH, 0.2):
        if message.error() is not None:
            continue  # librdkafka goes on by itself
        partition, offset, key, value = message.partition(), message.offset(), message.key(), message.value()
        assert isinstance(partition, int)
        assert isinstance(offset, int)
        assert isinstance(value, bytes)
        named = key if isinstance(key, bytes) else b"-"
        sys.stdout.buffer.write(b"%d %d %s %s\n" % (partition, offset, named, value))
        positions[partition] = offset + 1
    return positions


def commit(consumer: Consumer, positions: list[TopicPartition]) -> None:
    try:
        consumer.commit(offsets=positions, asynchronous=False)
    except KafkaException as error:  # most likely the group is sharing out anew; who has them next reads them again
        print(f"flights: not committed: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
