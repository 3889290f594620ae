"""The topics of the cluster as consumer groups see them, and the hash that tells a group that its topics changed.

Prior art: Kafka's ``CoordinatorMetadataImage`` and ``Utils.computeGroupHash``. The hash is in the records of a group,
so it is Kafka's to the bit: XXH3 over what hash4j makes of the fields (numbers little endian, strings as UTF-16 and
then their length). It covers id, name, partition count and the racks of every partition.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, final

from xxhash import xxh3_64_intdigest

from ottla.groups.assignors.spec import Assignment

__all__ = ["Topic", "TopicHashes", "Topics", "by_name", "topic_hash", "xxh3_64"]

_FORMAT: Final = b"\0"
"""Kafka's version of what is hashed."""
_INT: Final = struct.Struct("<i")


class Topic(NamedTuple):
    """A topic, as far as groups care."""

    topic_id: bytes
    name: str
    partition_count: int
    racks: Sequence[Sequence[str]] = ()
    """Of the replicas of each partition, in any order; may end early where no more partition has any."""


class Topics(Protocol):
    """All topics, as they are now."""

    @property
    def version(self) -> int:
        """Grows with each change; Kafka's offset of the metadata log."""

    def named(self, name: str) -> Topic | None: ...

    def with_id(self, topic_id: bytes) -> Topic | None: ...

    def racks_of(self, topic: Topic) -> Sequence[Sequence[str]]:
        """As ``Topic.racks``, which the other methods may leave empty."""

    def names(self) -> Collection[str]:
        """All of them; never changes once given."""


@final
class TopicHashes:
    """Hashes of topics, each computed once until ``forget``."""

    def __init__(self, topics: Topics) -> None:
        self.topics: Final = topics
        self._known: dict[str, int] = {}

    def forget(self, names: Iterable[str]) -> None:
        """These topics changed."""
        for name in names:
            self._known.pop(name, None)

    def of_group(self, names: Iterable[str]) -> int:
        """The hash of the topics among these that exist; 0 for none."""
        hashes = []
        for name in sorted(names):
            known = self._known.get(name)
            if known is None:
                topic = self.topics.named(name)
                if topic is None:
                    continue
                topic = topic._replace(racks=self.topics.racks_of(topic))
                known = self._known[name] = topic_hash(topic)
            hashes.append(known)
        return xxh3_64(struct.pack(f"<{len(hashes)}q", *hashes)) if hashes else 0


def xxh3_64(data: bytes) -> int:
    """XXH3 of 64 bits, signed as Java has it."""
    value = xxh3_64_intdigest(data)
    return value - (1 << 64) if value >> 63 else value


def topic_hash(topic: Topic) -> int:
    """Kafka's ``Utils.computeTopicHash``."""
    out = bytearray(_FORMAT)
    out += topic.topic_id[7::-1]
    out += topic.topic_id[:7:-1]
    _put_text(out, topic.name)
    out += _INT.pack(topic.partition_count)
    for partition in range(min(topic.partition_count, len(topic.racks))):
        out += _INT.pack(partition)
        for rack in sorted(topic.racks[partition]):
            out += _INT.pack(_units(rack))
            _put_text(out, rack)
    without = range(len(topic.racks), topic.partition_count)
    out += struct.pack(f"<{len(without)}i", *without)
    return xxh3_64(bytes(out))


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _put_text(out: bytearray, text: str) -> None:
    encoded = text.encode("utf-16-le")
    out += encoded
    out += _INT.pack(len(encoded) // 2)


def by_name(assignment: Mapping[bytes, Iterable[int]] | Assignment, topics: Topics) -> dict[str, tuple[int, ...]]:
    """The same with names; topics that are gone are left out."""
    named: dict[str, tuple[int, ...]] = {}
    for topic_id, partitions in assignment.items():
        topic = topics.with_id(topic_id)
        if topic is not None:
            named[topic.name] = tuple(sorted(partitions))
    return named
