"""Did the same events come back, and each key's in order? Both sides feed a Tally; equal tallies mean yes."""

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import final

from examples.flights.rows import Event

HASH_BYTES = 16


@final
@dataclass(slots=True)
class Tally:
    """Count, content and order. The contents are summed, so that the order between keys plays no part; each key has a
    running checksum, so that the order within it does."""

    count: int = 0
    content: int = 0
    chains: dict[bytes, int] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event]) -> "Tally":
        tally = cls()
        for event in events:
            tally.add(event)
        return tally

    def add(self, event: Event) -> None:
        self.count += 1
        marked = b"\x00" if event.key is None else b"\x01" + event.key
        digest = hashlib.blake2b(event.value, key=marked, digest_size=HASH_BYTES).digest()
        self.content = (self.content + int.from_bytes(digest)) % (1 << 8 * HASH_BYTES)
        if event.key is not None:  # events without a key go anywhere
            self.chains[event.key] = zlib.crc32(event.value, self.chains.get(event.key, 0))

    def difference(self, other: "Tally") -> str:
        """What is wrong in the other, in words; empty when nothing is."""
        if self.count != other.count:
            return f"{self.count:,} events were sent and {other.count:,} came back"
        if self.content != other.content:
            return "the contents of what came back differ"
        wrong = [key.decode() for key, chain in self.chains.items() if other.chains.get(key) != chain]
        return f"{len(wrong):,} keys are out of order, the first is {wrong[0]}" if wrong else ""
