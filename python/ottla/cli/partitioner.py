"""To which partition a record goes: by its key as Kafka's clients hash it, else to one partition batch after batch.

Prior art: `BuiltInPartitioner` and `Utils.murmur2` of Kafka's clients (KIP-480). A record with a key lands where any
client with default settings puts it.
"""

from __future__ import annotations

from random import Random
from typing import Final, final

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The 32-bit MurmurHash2 of Kafka, as an unsigned number."""
    h = _SEED ^ len(data)
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


@final
class Partitioner:
    """Chooses among `count` partitions. `random` decides where keyless records go."""

    def __init__(self, count: int, random: Random) -> None:
        assert count > 0
        self._count = count
        self._random = random
        self._sticky = random.randrange(count)

    def choose(self, key: bytes | None) -> int:
        """The partition of a record with this key; an empty key is a key."""
        return self._sticky if key is None else (murmur2(key) & 0x7FFFFFFF) % self._count

    def batch_done(self, partition: int) -> None:
        """A batch of this partition is complete: keyless records go on to another."""
        if partition == self._sticky and self._count > 1:
            self._sticky = (self._sticky + 1 + self._random.randrange(self._count - 1)) % self._count
