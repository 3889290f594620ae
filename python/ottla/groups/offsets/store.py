"""The committed offsets as state: what records make of them, and nothing that decides.

Prior art: Kafka's ``OffsetMetadataManager.Offsets`` and ``OpenTransactions``, hash maps with snapshots, each offset an
object with the position of its record, by which a marker finds out whether a later commit has overtaken it. Ours are
dictionaries of bytes. Positions are not kept: a commit strikes out what is pending for its partition from before it,
which comes to the same.

Invariants: no empty dictionary of a group or topic stays behind; every pending offset is in both ``_open`` and
``_by_producer``; of a partition's pending offsets, the order is that of their records.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TypeAlias, final

from ottla.groups.offsets.offset import CommittedOffset, pack, unpack
from ottla.records.consumer_offsets import OffsetCommitValue

__all__ = ["OffsetStore", "TopicPartition"]

TopicPartition: TypeAlias = tuple[str, int]
_Pending: TypeAlias = dict[int, bytes | None]
"""By producer; None when a later commit has overtaken it: the transaction is open all the same."""


@final
class OffsetStore:
    """Offsets by group, topic and partition, and those of open transactions."""

    __slots__ = ("_by_producer", "_groups", "_open", "offset_count")

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, dict[int, bytes]]] = {}
        self._open: dict[str, dict[TopicPartition, _Pending]] = {}
        self._by_producer: dict[int, dict[tuple[str, TopicPartition], None]] = {}
        self.offset_count = 0
        """Those that are committed."""

    def groups(self) -> list[str]:
        """The groups that have committed something, or are about to."""
        return list(dict.fromkeys([*self._groups, *self._open]))

    def topics(self, group: str) -> list[str]:
        """The topics of which the group has committed a partition."""
        return list(self._groups.get(group, ()))

    def partitions(self, group: str, topic: str) -> Mapping[int, bytes]:
        """What the group has committed of a topic, packed. Not to be kept: it is the state itself."""
        return self._groups.get(group, {}).get(topic, {})

    def committed(self, group: str) -> Iterator[tuple[str, int, CommittedOffset]]:
        """Everything the group has committed."""
        for topic, partitions in self._groups.get(group, {}).items():
            for partition, packed in partitions.items():
                yield topic, partition, unpack(packed)

    def pending(self, group: str) -> list[TopicPartition]:
        """The partitions for which a transaction is open."""
        return list(self._open.get(group, ()))

    def is_pending(self, group: str, topic: str, partition: int) -> bool:
        return group in self._open and (topic, partition) in self._open[group]

    def is_known(self, group: str, topic: str, partition: int) -> bool:
        """Is there something to delete?"""
        return partition in self.partitions(group, topic) or self.is_pending(group, topic, partition)

    def has_any(self, group: str) -> bool:
        """Has the group committed something, or is it about to?"""
        return group in self._groups or group in self._open

    def pending_of(self, group: str, topic: str) -> list[tuple[int, list[bytes]]]:
        """Partitions of a topic for which a transaction is open, with what may come of it."""
        return [
            (partition, [packed for packed in pending.values() if packed is not None])
            for (name, partition), pending in self._open.get(group, {}).items()
            if name == topic
        ]

    def put(self, group: str, topic: str, partition: int, value: OffsetCommitValue) -> None:
        """It is committed."""
        self._put(group, topic, partition, pack(value))
        if self._open and (pending := self._open.get(group, {}).get((topic, partition))):
            for producer_id in pending:
                pending[producer_id] = None

    def remove(self, group: str, topic: str, partition: int) -> None:
        """It is deleted, with what is pending for it."""
        topics = self._groups.get(group)
        if topics is not None and partition in topics.get(topic, ()):
            self.offset_count -= 1
            partitions = topics[topic]
            del partitions[partition]
            if not partitions:
                del topics[topic]
                if not topics:
                    del self._groups[group]
        if self._open:
            for producer_id in list(self._open.get(group, {}).get((topic, partition), ())):
                self._close(producer_id, group, (topic, partition))
                owed = self._by_producer[producer_id]
                del owed[group, (topic, partition)]
                if not owed:
                    del self._by_producer[producer_id]

    def put_pending(self, producer_id: int, group: str, topic: str, partition: int, value: OffsetCommitValue) -> None:
        """A transaction will have committed it, if it ends well."""
        where = (topic, partition)
        pending = self._open.setdefault(group, {}).setdefault(where, {})
        # To the end: the order is that of the records.
        pending.pop(producer_id, None)
        pending[producer_id] = pack(value)
        self._by_producer.setdefault(producer_id, {})[group, where] = None

    def end_transaction(self, producer_id: int, *, is_committed: bool) -> None:
        """The producer's transaction has ended: what it left pending is committed or forgotten."""
        for group, where in self._by_producer.pop(producer_id, ()):
            pending = self._open[group][where]
            packed = pending[producer_id]
            if is_committed and packed is not None:
                self._put(group, *where, packed)
                for other in pending:
                    if other == producer_id:
                        break
                    pending[other] = None
            self._close(producer_id, group, where)

    def _put(self, group: str, topic: str, partition: int, packed: bytes) -> None:
        topics = self._groups.get(group)
        if topics is None:
            topics = self._groups[group] = {}
        partitions = topics.get(topic)
        if partitions is None:
            # Many groups read the same topics.
            partitions = topics[sys.intern(topic)] = {}
        if partition not in partitions:
            self.offset_count += 1
        partitions[partition] = packed

    def _close(self, producer_id: int, group: str, where: TopicPartition) -> None:
        of_group = self._open[group]
        pending = of_group[where]
        del pending[producer_id]
        if not pending:
            del of_group[where]
            if not of_group:
                del self._open[group]
