"""One member of the group, a process of its own: `python -m examples.flights.member BOOTSTRAP TOPIC GROUP`.

It writes each event that it reads to its standard output, as a line of partition, offset, key and value, and commits
what it has written. So what is not written yet is not committed; the other way round happens when it is killed.
"""

import sys

from confluent_kafka import Consumer, TopicPartition

BATCH = 2000
SESSION_MS = 6_000


def main() -> None:
    bootstrap, topic, group = sys.argv[1:]
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
    while True:
        read: dict[int, int] = {}
        for message in consumer.consume(BATCH, 0.2):
            if message.error() is not None:
                continue  # librdkafka goes on by itself
            partition, offset, key, value = message.partition(), message.offset(), message.key(), message.value()
            assert isinstance(partition, int)
            assert isinstance(offset, int)
            assert isinstance(value, bytes)
            named = key if isinstance(key, bytes) else b"-"
            sys.stdout.buffer.write(b"%d %d %s %s\n" % (partition, offset, named, value))
            read[partition] = offset + 1
        sys.stdout.buffer.flush()
        if read:
            consumer.commit(offsets=[TopicPartition(topic, *place) for place in read.items()], asynchronous=True)


if __name__ == "__main__":
    main()
