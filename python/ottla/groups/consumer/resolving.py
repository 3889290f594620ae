"""Finds what the expressions of groups match, between requests, in slices; and what that makes of a group.

Prior art: Kafka's ``handleRegularExpressionsResult``, with an executor beside the coordinator. Ours is something that
is due: it survives no restart, the next heartbeat asks again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, final

from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record
from ottla.groups.consumer.group import ConsumerGroup
from ottla.groups.consumer.records import epoch_record, regex_record
from ottla.groups.consumer.regex import Answer, Compile, Describable, Question, resolve
from ottla.groups.consumer.state import ConsumerState
from ottla.groups.consumer.topics import TopicHashes

__all__ = ["REGEX_INTERVAL_MS", "Resolving"]

REGEX_INTERVAL_MS: Final = 10_000
"""Expressions of one group are not resolved more often; as Kafka."""
SLICES_PER_ADVANCE: Final = 4
"""Some milliseconds of work; what is left is due at once."""


@final
class Resolving:
    """The questions of all groups of a shard; one of each group at a time."""

    def __init__(self, state: ConsumerState, hashes: TopicHashes, compile_: Compile) -> None:
        self._state = state
        self._hashes = hashes
        self._topics = hashes.topics
        self._compile = compile_
        self._running: deque[Iterator[Answer | None]] = deque()
        self._since_ms = 0
        self.created_version = self._topics.version
        """Of the topics when last some were created: what was resolved before it is old."""

    def ask(self, group: ConsumerGroup, expressions: tuple[str, ...], describable: Describable, now: Now) -> None:
        """Begins to find out what these match of the topics as they are now."""
        assert not group.is_asking, "one question at a time"
        group.is_asking = True
        if not self._running:
            self._since_ms = now.monotonic_ms
        question = Question(group.group_id, expressions, describable)
        topics = self._topics
        self._running.append(resolve(question, self._compile, topics.names(), topics.version, now.wall_ms))

    @property
    def due_ms(self) -> int | None:
        """At once, on the monotonic clock, while something is to be found."""
        return self._since_ms if self._running else None

    def advance(self, outbox: Outbox) -> None:
        """Some slices of work."""
        for _ in range(SLICES_PER_ADVANCE):
            if not self._running:
                return
            answer = next(self._running[0])
            if answer is not None:
                self._running.popleft()
                self._learn(answer, outbox)

    def _learn(self, answer: Answer, outbox: Outbox) -> None:
        """What expressions match now. Topics that came or went make another epoch of the group."""
        group = self._state.groups.get(answer.group_id)
        if group is None:
            return
        group.is_asking = False
        records: list[Record] = []
        names = group.topics.copy()
        changed = False
        for expression, resolved in answer.found.items():
            if not group.regex_subscribers[expression]:
                continue
            known = group.regexes.get(expression)
            before: frozenset[str] = frozenset() if known is None else known.topics
            if before != resolved.topics:
                changed = True
                names.subtract(before)
                names.update(resolved.topics)
            records.append(regex_record(group.group_id, expression, resolved))
        if not records:
            return
        metadata_hash = self._hashes.of_group(name for name, count in names.items() if count > 0)
        if changed or metadata_hash != group.metadata_hash:
            changed = True
            records.append(epoch_record(group.group_id, group.epoch + 1, metadata_hash))
        try:
            outbox.emit(*records)
        except CoordinatorError:
            # Too many topics for a record: the members keep what they have.
            group.asks_from_ms = outbox.now.wall_ms + REGEX_INTERVAL_MS
        else:
            group.is_fresh = group.is_fresh or changed
