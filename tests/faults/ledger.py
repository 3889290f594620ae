"""What was sent to a broker, what it acknowledged, and what must therefore be in its logs.

Prior art: Jepsen's checkers for queues, Kafka's ``VerifiableProducer``. Ours keeps per (producer, partition) a *lane*
of numbered records: the number is the record's idempotent sequence and stands in its value too, so that a log tells by
itself what is
missing, twice, or out of order.

Invariants: a lane sends batches in the order of its numbers; a batch is acknowledged at one offset and never again at
another.
"""

from __future__ import annotations

import random
import struct
from array import array
from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple, final

from ottla._core import Record, build_batch, decode_batches

_VALUE: Final = struct.Struct(">HI")
"""Producer and number; padding follows."""
PADDING: Final = bytes(range(32, 127)) * 8


class Place(NamedTuple):
    topic: str
    partition: int


@final
@dataclass(slots=True)
class Sent:
    """One batch."""

    first: int
    """The number of its first record: its base sequence."""
    count: int
    data: bytes


@final
@dataclass(slots=True)
class Lane:
    """What one producer sends to one partition."""

    producer: int
    producer_id: int
    place: Place
    next_number: int = 0
    unanswered: deque[Sent] = field(default_factory=deque)
    acknowledged: dict[int, int] = field(default_factory=dict)
    """First number to base offset, of batches that were not seen in the log yet."""

    def next_batch(self, count: int, timestamp_ms: int, randomness: random.Random) -> Sent:
        """The next batch of so many records; counted as sent."""
        codec = randomness.choice((0, 0, 0, 1, 2, 3, 4))
        records = [
            (
                b"%d" % self.producer,
                _VALUE.pack(self.producer, self.next_number + at) + PADDING[: randomness.randrange(len(PADDING))],
                timestamp_ms + at,
                (),
            )
            for at in range(count)
        ]
        data = build_batch(
            records, codec=codec, producer_id=self.producer_id, producer_epoch=0, base_sequence=self.next_number
        )
        sent = Sent(self.next_number, count, data)
        self.next_number += count
        self.unanswered.append(sent)
        return sent

    def acknowledge(self, offset: int) -> None:
        """The oldest unanswered batch is at this offset."""
        sent = self.unanswered.popleft()
        assert offset >= 0, f"{self}: acknowledged at offset {offset}"
        self.acknowledged[sent.first] = offset


@final
class PartitionModel:
    """What is known to be in one partition; grows by reading its log."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.end = 0
        """Everything below was seen."""
        self.timestamps = array("q")
        self.numbers: dict[int, int] = {}
        """Producer to the number that it must bring next."""
        self.seen_first: dict[tuple[int, int], int] = {}
        """(producer, first number of a batch) to its offset, of batches seen in the last reading."""

    def read(self, data: bytes) -> int:
        """Takes batches as a Fetch returned them; returns the offset to go on from."""
        walk = decode_batches(data)
        assert walk.stop in ("end", "cut off"), f"{self.place}: {walk.fault} at byte {walk.end} of an answer"
        for batch in walk.batches:
            assert batch.fault is None, f"{self.place}: {batch.fault} in the batch at {batch.base_offset}"
            if batch.last_offset < self.end:
                continue
            assert batch.base_offset == self.end, (
                f"{self.place}: a batch begins at {batch.base_offset}, {self.end} is next"
            )
            self._batch(batch.records, batch.base_sequence)
        return self.end

    def _batch(self, records: list[Record], base_sequence: int) -> None:
        for at, record in enumerate(records):
            assert record.offset == self.end, f"{self.place}: offset {record.offset} instead of {self.end}"
            assert record.value is not None
            producer, number = _VALUE.unpack_from(record.value)
            expected = self.numbers.get(producer, 0)
            assert number == expected, (
                f"{self.place}: at offset {record.offset}, producer {producer} brings record {number}; {expected} is "
                f"next: {'lost' if number > expected else 'twice'}"
            )
            assert number == base_sequence + at, f"{self.place}: sequence {base_sequence + at} holds record {number}"
            if at == 0:
                self.seen_first[producer, number] = record.offset
            self.numbers[producer] = number + 1
            self.timestamps.append(record.timestamp_ms)
            self.end += 1

    def settle(self, lane: Lane) -> None:
        """What the lane was told must be what was seen."""
        for first, offset in lane.acknowledged.items():
            seen = self.seen_first.get((lane.producer, first))
            assert seen is not None, (
                f"{self.place}: producer {lane.producer} was told that its batch {first} is at offset {offset}; it is "
                f"not in the log, which ends at {self.end}"
            )
            assert seen == offset, (
                f"{self.place}: producer {lane.producer} was told that batch {first} is at {offset}; it is at {seen}"
            )
        lane.acknowledged.clear()

    def offset_for_timestamp(self, timestamp_ms: int) -> int:
        """The first offset of that time or later; -1 when there is none."""
        for offset, found in enumerate(self.timestamps):
            if found >= timestamp_ms:
                return offset
        return -1

    def max_timestamp(self) -> tuple[int, int]:
        """The first of the latest records: its offset and time; -1, -1 when there are none."""
        if not self.timestamps:
            return -1, -1
        latest = max(self.timestamps)
        return self.timestamps.index(latest), latest
