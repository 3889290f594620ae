"""Offsets that go by themselves: those that have expired, and those of deleted topics.

Prior art: Kafka's ``cleanupExpiredOffsets``, which looks at every offset of a partition at once. Ours looks at some
thousand and lets others have their turn; the sweep goes on at once.

Invariants: what is deleted was looked at in the same slice; a group that comes or changes during a sweep is seen as it
is when the sweep gets to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, TypeAlias, final

from ottla.coordinator.machine import Now, Outbox, Record
from ottla.groups.offsets.group import ExpiryBase, Groups, Since
from ottla.groups.offsets.offset import NO_EXPIRY, commit_timestamp_ms, expire_timestamp_ms, topic_id_of
from ottla.groups.offsets.store import OffsetStore
from ottla.ids import ZERO_TOPIC_ID
from ottla.records.consumer_offsets import OffsetCommitKey

__all__ = ["Cleaner", "is_expired", "tombstone"]

SLICE_COST_MAX: Final = 3_000
"""Of ``advance``: some 2 ms."""
_TOMBSTONE_COST: Final = 20

_Step: TypeAlias = tuple[str, Record | None] | None
"""A record to emit for a group, a group to look at whether it may go, or nothing: one more was looked at."""


def tombstone(group: str, topic: str, partition: int) -> Record:
    return Record(OffsetCommitKey(group=group, topic=topic, partition=partition), None)


def is_expired(packed: bytes, base: ExpiryBase, wall_ms: int, retention_ms: int) -> bool:
    """Is an offset too old? One with an expiry of its own is so from then on; one of a group whose offsets do not age,
    never."""
    if base is Since.NEVER:
        return False
    expires_at_ms = expire_timestamp_ms(packed)
    if expires_at_ms != NO_EXPIRY:
        return wall_ms >= expires_at_ms
    since_ms = commit_timestamp_ms(packed) if isinstance(base, Since) else base
    return wall_ms - since_ms >= retention_ms


@final
class Cleaner:
    """Sweeps every ``interval_ms``, and after deletions of topics."""

    __slots__ = ("_groups", "_interval_ms", "_jobs", "_retention_ms", "_slice", "_store", "_sweep_at_ms")

    def __init__(self, store: OffsetStore, groups: Groups, *, retention_ms: int, interval_ms: int) -> None:
        self._store = store
        self._groups = groups
        self._retention_ms = retention_ms
        self._interval_ms = interval_ms
        self._jobs: deque[Iterator[_Step]] = deque()
        self._sweep_at_ms: int | None = None
        self._slice = 0

    def begin(self, now: Now) -> None:
        """The log is read: the first sweep is an interval away."""
        self._sweep_at_ms = now.monotonic_ms + self._interval_ms

    def topic_deleted(self, name: str, topic_id: bytes) -> None:
        """What is committed for it goes soon. A topic of the same name with another id keeps what it has."""
        self._jobs.append(self._forget(name, topic_id))

    def next_deadline_ms(self) -> int | None:
        """When ``advance`` has something to do; long past when it has already."""
        return 0 if self._jobs else self._sweep_at_ms

    def advance(self, outbox: Outbox) -> None:
        """A slice of the work that is due."""
        if self._sweep_at_ms is not None and outbox.now.monotonic_ms >= self._sweep_at_ms:
            self._sweep_at_ms = outbox.now.monotonic_ms + self._interval_ms
            self._jobs.append(self._sweep(outbox.now.wall_ms))
        self._slice += 1
        cost = 0
        while self._jobs and cost < SLICE_COST_MAX:
            step = next(self._jobs[0], self)
            if isinstance(step, Cleaner):
                self._jobs.popleft()
                continue
            cost += 1
            if step is None:
                continue
            group, record = step
            if record is not None:
                # One by one: together they might be too large, and nobody minds if only some get into the log.
                outbox.emit(record)
            elif not self._store.has_any(group) and self._groups.find(group) is not None:
                self._groups.delete_if_empty(group, outbox)
            cost += _TOMBSTONE_COST

    def _sweep(self, wall_ms: int) -> Iterator[_Step]:
        for name in list(self._groups.names()):
            for topic in self._store.topics(name):
                seen_in = -1
                for partition in list(self._store.partitions(name, topic)):
                    if seen_in != self._slice:
                        # Others had their turn: it may have been committed anew, or a member may have come.
                        seen_in = self._slice
                        base, partitions = self._base(name, topic), self._store.partitions(name, topic)
                    if base is Since.NEVER:
                        yield None
                        break
                    packed = partitions.get(partition)
                    if (
                        packed is not None
                        and is_expired(packed, base, wall_ms, self._retention_ms)
                        and not self._store.is_pending(name, topic, partition)
                    ):
                        yield name, tombstone(name, topic, partition)
                    else:
                        yield None
            yield name, None

    def _base(self, name: str, topic: str) -> ExpiryBase:
        group = self._groups.find(name)
        return Since.NEVER if group is None or group.is_subscribed(topic) else group.offset_expiry_base()

    def _forget(self, topic: str, topic_id: bytes) -> Iterator[_Step]:
        fitting = (topic_id, ZERO_TOPIC_ID)
        for name in self._store.groups():
            for partition in list(self._store.partitions(name, topic)):
                packed = self._store.partitions(name, topic).get(partition)
                is_ours = packed is not None and topic_id_of(packed) in fitting
                yield (name, tombstone(name, topic, partition)) if is_ours else None
            for partition, pending in self._store.pending_of(name, topic):
                if any(topic_id_of(packed) in fitting for packed in pending):
                    yield name, tombstone(name, topic, partition)
            yield None
