"""The job of the third part, a process of its own: `python -m examples.flights.counter BOOTSTRAP SOURCE TARGET`.

It reads the flights in batches, and writes the counts of airports that a batch changes. Each batch is a transaction:
the counts and the positions behind what was read are committed together, or not at all. So the job may end at any
moment and does nothing about it: it handles no error and catches no signal. Who runs it starts it again, and it goes on
from what was committed last.

On standard output it tells what it begins to do, and how many events are done when that is done: `reading 5000`, then
`writing 6000`, `sending-offsets 6000`, `committing 6000`, and `reading 6000`.
"""

import sys
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from examples.flights.counts import WAIT_S, Counts

BATCH = 1000
STEPS = ("reading", "writing", "sending-offsets", "committing")


def main() -> None:
    bootstrap, source, target = sys.argv[1:]
    # With this id it shuts a process before it out, and has aborted what that left open, before it reads anything.
    settings = {"bootstrap.servers": bootstrap, "transactional.id": f"counter-{target}"}
    producer: Any = Producer(settings | {"log_level": 3})  # not each time that a coordinator is to be asked again
    producer.init_transactions(WAIT_S)
    counts = Counts.committed(bootstrap, target)
    consumer: Any = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group_of(target),
            "group.instance.id": "1",  # with it a member that comes again has its partitions at once
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    positions = committed_positions(consumer, source)
    consumer.subscribe([source])
    while True:
        tell("reading", positions)
        while not (batch := read(consumer)):
            pass
        positions |= {message.partition(): message.offset() + 1 for message in batch}
        producer.begin_transaction()
        tell("writing", positions)
        for airport in sorted({counts.add(message.value()) for message in batch}):
            producer.produce(target, counts.record_of(airport), airport)
        tell("sending-offsets", positions)
        places = [TopicPartition(source, *place) for place in positions.items()]
        producer.send_offsets_to_transaction(places, consumer.consumer_group_metadata(), WAIT_S)
        tell("committing", positions)
        producer.commit_transaction(WAIT_S)


def group_of(target: str) -> str:
    return f"group-{target}"


def committed_positions(consumer: Any, topic: str) -> dict[int, int]:
    """By partition; 0 where nothing was committed. They sum up to the events before them."""
    partitions = consumer.list_topics(topic, WAIT_S).topics[topic].partitions
    places = consumer.committed([TopicPartition(topic, partition) for partition in partitions], WAIT_S)
    return {place.partition: max(place.offset, 0) for place in places}


def tell(step: str, positions: dict[int, int]) -> None:
    print(step, sum(positions.values()), flush=True)


def read(consumer: Any) -> list[Any]:
    return [message for message in consumer.consume(BATCH, 0.1) if message.error() is None]


if __name__ == "__main__":
    main()
