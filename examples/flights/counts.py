"""How many flights arrived at each airport and how many of them late, and the topic in which that is kept: a record is
an airport and its counts so far, and the last one counts.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from examples.flights.rows import Event

LATE_MIN = 15
"""So many minutes after its time a flight is late, says the U.S. Bureau of Transportation Statistics."""
WAIT_S = 30.0


@final
@dataclass(slots=True)
class Counts:
    """By airport."""

    flights: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)

    def add(self, value: bytes) -> str:
        """Counts an event; the airport of which it was."""
        flight = json.loads(value)
        airport, delay = str(flight["dest"]), flight["arr_delay"]
        self.flights[airport] = self.flights.get(airport, 0) + 1
        self.late[airport] = self.late.get(airport, 0) + (delay is not None and delay >= LATE_MIN)
        return airport

    def record_of(self, airport: str) -> bytes:
        return json.dumps({"flights": self.flights[airport], "late": self.late[airport]}).encode()

    def restore(self, airport: bytes, record: bytes) -> None:
        found = json.loads(record)
        self.flights[airport.decode()], self.late[airport.decode()] = found["flights"], found["late"]

    @classmethod
    def of(cls, flights: list[Event]) -> "Counts":
        counts = cls()
        for flight in flights:
            counts.add(flight.value)
        return counts

    @classmethod
    def committed(cls, bootstrap: str, topic: str) -> "Counts":
        counts = cls()
        for airport, record in read_all(bootstrap, topic, "read_committed"):
            counts.restore(airport, record)
        return counts

    def difference(self, other: "Counts") -> str:
        """What is wrong in the other, in words; empty when nothing is."""
        for airport in sorted(self.flights.keys() | other.flights.keys()):
            right, found = ((each.flights.get(airport, 0), each.late.get(airport, 0)) for each in (self, other))
            if right != found:
                return f"{airport} had {right[0]:,} flights, {right[1]:,} of them late; counted were {found}"
        return ""

    def table(self, most: int = 5) -> Iterator[str]:
        """The airports with the most flights."""
        yield f"{'airport':10}{'flights':>9}{'late':>8}"
        for airport in sorted(self.flights, key=lambda each: -self.flights[each])[:most]:
            yield f"{airport:10}{self.flights[airport]:9,}{self.late[airport]:8,}"


def read_all(bootstrap: str, topic: str, isolation: str) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of all records, up to the end that this reader sees. Raises SystemExit when none comes."""
    consumer: Any = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "none",  # it joins none
            "isolation.level": isolation,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,  # an answer without records is what tells of the end
        }
    )
    try:
        left = set(consumer.list_topics(topic, WAIT_S).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in left])
        while left:
            message = consumer.poll(WAIT_S)
            if message is None:
                raise SystemExit(f"flights: nothing came of {topic} in {WAIT_S:g} s")
            if message.error() is None:
                yield message.key(), message.value()
            elif message.error().code() == KafkaError._PARTITION_EOF:
                left.discard(message.partition())
    finally:
        consumer.close()
