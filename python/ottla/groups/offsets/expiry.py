"""Offsets that go by themselves: those that have expired, and those of deleted topics.

Prior art: Kafka's ``cleanupExpiredOffsets``, which looks at every offset of a partition at once. Ours looks at some
thousand and lets others have their turn; the sweep goes on at once.

Invariants: what is deleted was looked at in the same slice, after the data plane was told to leave the group alone, and
nothing younger is being written there; a group that comes or changes during a sweep is seen as it is when the sweep
gets to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias, final

from ottla.coordinator.machine import Now, Outbox, Record
from ottla.groups.offsets.group import ExpiryBase, Groups, Since
from ottla.groups.offsets.table import NO_EXPIRY, OffsetTable, tombstone
from ottla.ids import ZERO_TOPIC_ID

__all__ = ["Cleaner", "is_expired"]

SLICE_COST_MAX: Final = 3_000
"""Of ``advance``: some 2 ms."""
_TOMBSTONE_COST: Final = 20
_ROWS: Final = 512
"""Offsets that are looked at together, within one slice."""

_Step: TypeAlias = tuple[str, Record | None] | None
"""A record to emit for a group, a group to look at whether it may go, or nothing: one more was looked at."""


def is_expired(
    commit_timestamp_ms: int, expire_timestamp_ms: int, base: ExpiryBase, wall_ms: int, retention_ms: int
) -> bool:
    """Is an offset too old? One with an expiry of its own is so from then on; one of a group whose offsets do not age,
    never."""
    if base is Since.NEVER:
        return False
    if expire_timestamp_ms != NO_EXPIRY:
        return wall_ms >= expire_timestamp_ms
    since_ms = commit_timestamp_ms if isinstance(base, Since) else base
    return wall_ms - since_ms >= retention_ms


@final
class Cleaner:
    """Sweeps every ``interval_ms``, and after deletions of topics."""

    __slots__ = ("_groups", "_interval_ms", "_jobs", "_retention_ms", "_slice", "_sweep_at_ms", "_table", "_withdraw")

    def __init__(
        self,
        table: OffsetTable,
        groups: Groups,
        withdraw: Callable[[str], None],
        *,
        retention_ms: int,
        interval_ms: int,
    ) -> None:
        """``withdraw``: from then on nothing of the group is committed but by the coordinator."""
        self._table = table
        self._groups = groups
        self._withdraw = withdraw
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
            elif not self._table.has_any(group):
                self._withdraw(group)
                if not self._table.has_any(group) and self._groups.find(group) is not None:
                    self._groups.delete_if_empty(group, outbox)
            cost += _TOMBSTONE_COST

    def _sweep(self, wall_ms: int) -> Iterator[_Step]:
        for name in list(self._groups.names()):
            for topic in self._table.topics(name):
                yield from self._sweep_topic(name, topic, wall_ms)
            yield name, None

    def _sweep_topic(self, name: str, topic: str, wall_ms: int) -> Iterator[_Step]:
        after: int | None = None
        while True:
            # Anew after every slice: others had their turn. It may have been committed anew, or a member may have come.
            base, seen_in = self._base(name, topic), self._slice
            if base is Since.NEVER:
                yield None
                return
            rows = self._table.scan(name, topic, after, _ROWS)
            written: dict[int, bytes] = {}
            if any(is_expired(row[1], row[2], base, wall_ms, self._retention_ms) for row in rows):
                written = self._left_alone(name, topic)
                rows = self._table.scan(name, topic, after, _ROWS)
            for after, commit_ms, expire_ms, _ in rows:
                too_old = is_expired(commit_ms, expire_ms, base, wall_ms, self._retention_ms)
                if too_old and after not in written and not self._table.is_pending(name, topic, after):
                    yield name, tombstone(name, topic, after)
                else:
                    yield None
                if seen_in != self._slice:
                    break
            else:
                if len(rows) < _ROWS:
                    return

    def _left_alone(self, name: str, topic: str) -> dict[int, bytes]:
        """From now on, in this slice, nothing but what the coordinator decides happens to what the group has committed,
        but for what the data plane is writing already: partitions, each with the topic's id. To be asked before one
        looks: what is no longer being written is seen then."""
        self._withdraw(name)
        return {partition: known_id for known, partition, known_id in self._table.being_written(name) if known == topic}

    def _base(self, name: str, topic: str) -> ExpiryBase:
        group = self._groups.find(name)
        return Since.NEVER if group is None or group.is_subscribed(topic) else group.offset_expiry_base()

    def _forget(self, topic: str, topic_id: bytes) -> Iterator[_Step]:
        fitting = (topic_id, ZERO_TOPIC_ID)
        for name in self._table.groups():
            after: int | None = None
            while rows := self._table.scan(name, topic, after, _ROWS):
                seen_in = self._slice
                written: dict[int, bytes] = {}
                if any(row[3] in fitting for row in rows):
                    written = self._left_alone(name, topic)
                    rows = self._table.scan(name, topic, after, _ROWS)
                for after, _, _, known_id in rows:
                    # What is being written may be of a topic that has the name now.
                    yield (name, tombstone(name, topic, after)) if written.get(after, known_id) in fitting else None
                    if seen_in != self._slice:
                        break
            for pending_of, partition, ids in self._table.pending(name):
                if pending_of == topic and any(known_id in fitting for known_id in ids):
                    yield name, tombstone(name, topic, partition)
            yield None
