"""One consumer group: what its records say, and what follows from that.

Prior art: Kafka's ``ConsumerGroup`` and ``ModernGroup``. There a partition has the epoch of whoever owns it; here it
has the owner, so that ownership is looked up and not inferred. Everything is changed by ``apply_*`` alone, but for what
is marked as soft, which a restart may forget.

Invariants: a partition has one owner, who has it assigned or pending revocation; the counts of topics, expressions and
assignors are those of the members.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple, final

from ottla.errors import ErrorCode
from ottla.groups.assignors.spec import NOTHING, Assignment
from ottla.groups.consumer.member import Member, Owned
from ottla.groups.consumer.regex import Resolved
from ottla.groups.consumer.topics import Topics
from ottla.records.consumer_offsets import (
    ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataValue,
    ConsumerGroupTargetAssignmentMemberValue,
)

if TYPE_CHECKING:
    from ottla.groups.consumer.sessions import MemberTimers

__all__ = ["ConsumerGroup", "GroupState", "Refusal", "ids_of"]


class GroupState(enum.Enum):
    """The value is the name on the wire."""

    EMPTY = "Empty"
    ASSIGNING = "Assigning"
    """The group changed since its target was made."""
    RECONCILING = "Reconciling"
    """Some member does not have what the target gives it."""
    STABLE = "Stable"
    DEAD = "Dead"


class Refusal(NamedTuple):
    """Why there is no target."""

    epoch: int
    """Of the group, for which it was."""
    until_ms: int
    """When it is worth another attempt, in milliseconds since 1970."""
    code: ErrorCode
    message: str | None


@final
class ConsumerGroup:
    """Read by everybody, changed by ``ottla.groups.consumer`` alone."""

    def __init__(self, group_id: str, on_topics: Callable[[str, str, bool], None] = lambda *_: None) -> None:
        self.group_id = group_id
        self.epoch = 1
        """A member that joins with an expression alone is in the epoch that no record tells of."""
        self.metadata_hash = 0
        self.assignment_epoch = 0
        self.assigned_at_ms = 0
        """When the target was made, in milliseconds since 1970; 0 for at no time."""
        self.members: dict[str, Member] = {}
        self.static: dict[str, str] = {}
        """Instance id to member id."""
        self.target: dict[str, Assignment] = {}
        self.regexes: dict[str, Resolved] = {}
        self.has_partition_metadata = False
        """There is a record that only Kafka 4.0 wrote."""
        self.owners: dict[bytes, dict[int, str]] = {}
        """Member ids by topic id and partition."""
        self.topics: Counter[str] = Counter()
        """How many members name a topic, and how many expressions match it."""
        self.regex_subscribers: Counter[str] = Counter()
        self.assignors: Counter[str] = Counter()
        """Votes; whoever has no wish does not vote."""
        self.classic_protocols: Counter[str] = Counter()
        self.classic_count = 0
        self.timers: dict[str, MemberTimers] = {}
        """Soft: by member id; those of whoever goes are cancelled."""
        self.is_fresh = False
        """Soft: no topic of the group changed since their hash was computed. (Kafka also looks every 25 days.)"""
        self.is_asking = False
        """Soft: an answer about expressions is under way."""
        self.asks_from_ms = 0
        """Soft: not before this time, in milliseconds since 1970, is asked again what could not be written."""
        self.is_assigning = False
        """Soft: a target is being made."""
        self.refusal: Refusal | None = None
        """Soft: the last target could not be written."""
        self._on_topics = on_topics

    # What follows from it.

    @property
    def is_empty(self) -> bool:
        return not self.members

    @property
    def state(self) -> GroupState:
        """Looked up, not kept: O(members) while the group is stable."""
        if not self.members:
            return GroupState.EMPTY
        if self.epoch > self.assignment_epoch:
            return GroupState.ASSIGNING
        if all(member.is_reconciled(self.assignment_epoch) for member in self.members.values()):
            return GroupState.STABLE
        return GroupState.RECONCILING

    def static_member(self, instance_id: str | None) -> Member | None:
        """The member of an instance id."""
        member_id = None if instance_id is None else self.static.get(instance_id)
        return None if member_id is None else self.members.get(member_id)

    def waits_for_others(self, member: Member) -> bool:
        """Does somebody else still have what the target gives this member?"""
        for topic_id, partitions in self.target.get(member.member_id, NOTHING).items():
            assigned = member.assigned.get(topic_id, {})
            owners = self.owners.get(topic_id, {})
            if any(partition not in assigned and partition in owners for partition in partitions):
                return True
        return False

    def preferred_assignor(self, without: Collection[Member] = (), added: Member | None = None) -> str | None:
        """The one with most votes; of equals the first that got one. None when nobody has a wish."""
        votes = self.assignors
        if without or added is not None:
            votes = votes.copy()
            votes.subtract(member.assignor for member in without if member.assignor is not None)
            if added is not None and added.assignor is not None:
                votes[added.assignor] += 1
        best = max(votes, key=lambda name: votes[name], default=None)
        return best if best is not None and votes[best] > 0 else None

    def topics_of(self, member: Member) -> frozenset[str]:
        """What a member subscribes to, by name and by what its expression matched."""
        resolved = self.regexes.get(member.topic_regex) if member.topic_regex else None
        if resolved is None:
            return frozenset(member.topic_names)
        return resolved.topics.union(member.topic_names) if member.topic_names else resolved.topics

    def topics_with(
        self, without: Iterable[Member], added: Member | None = None, gone: Collection[str] = ()
    ) -> set[str]:
        """All topics of the group once some members are others, and some expressions are gone."""
        counts = self.topics.copy()
        for member in without:
            counts.subtract(member.topic_names)
        for expression in gone:
            resolved = self.regexes.get(expression)
            if resolved is not None:
                counts.subtract(resolved.topics)
        if added is not None:
            counts.update(added.topic_names)
        return {name for name, count in counts.items() if count > 0}

    def expressions_of(self, members: Iterable[Member]) -> set[str]:
        """Expressions that nobody but these members subscribes with."""
        used = Counter(member.topic_regex for member in members if member.topic_regex)
        return {expression for expression, count in used.items() if self.regex_subscribers[expression] == count}

    # Changes.

    def apply_member(self, member_id: str, value: ConsumerGroupMemberMetadataValue | None) -> None:
        before = self.members.get(member_id)
        if value is not None:
            self._put(before, (before or Member(member_id)).with_metadata(value))
        elif before is not None:
            self._put(before, None)

    def apply_current(self, member_id: str, value: ConsumerGroupCurrentMemberAssignmentValue | None) -> None:
        before = self.members.get(member_id)
        if value is not None:
            self._put(before, (before or Member(member_id)).with_current(value))
        elif before is not None:
            self._put(before, before.without_current())

    def apply_target(self, member_id: str, value: ConsumerGroupTargetAssignmentMemberValue | None) -> None:
        if value is None:
            self.target.pop(member_id, None)
        else:
            self.target[member_id] = {topic.topic_id: topic.partitions for topic in value.topic_partitions}

    def apply_regex(self, expression: str, resolved: Resolved | None) -> None:
        before = self.regexes.pop(expression, None)
        if resolved is not None:
            self.regexes[expression] = resolved
            self._count_topics(resolved.topics, 1)
        if before is not None:
            self._count_topics(before.topics, -1)

    def forget(self) -> None:
        """The group is no more: nothing refers to it through its topics."""
        for name in self.topics:
            self._on_topics(self.group_id, name, False)
        for timers in self.timers.values():
            timers.cancel()

    def _put(self, before: Member | None, after: Member | None) -> None:
        """The one place where members change."""
        if before is not None and after is not None and before.topic_names == after.topic_names:
            pass
        else:
            self._count_topics(() if after is None else after.topic_names, 1)
            self._count_topics(() if before is None else before.topic_names, -1)
        if before is not None:
            self._count(before, -1)
            self._disown(before.member_id, before.assigned)
            self._disown(before.member_id, before.revoking)
            if before.instance_id is not None and self.static.get(before.instance_id) == before.member_id:
                del self.static[before.instance_id]
        if after is None:
            if before is not None:
                del self.members[before.member_id]
                timers = self.timers.pop(before.member_id, None)
                if timers is not None:
                    timers.cancel()
            return
        self._count(after, 1)
        self._own(after.member_id, after.assigned)
        self._own(after.member_id, after.revoking)
        if after.instance_id is not None:
            self.static[after.instance_id] = after.member_id
        self.members[after.member_id] = after

    def _count(self, member: Member, change: int) -> None:
        if member.topic_regex:
            _add(self.regex_subscribers, member.topic_regex, change)
        if member.assignor is not None:
            _add(self.assignors, member.assignor, change)
        if member.classic is not None:
            self.classic_count += change
            for name in {protocol.name for protocol in member.classic.supported_protocols}:
                _add(self.classic_protocols, name, change)

    def _count_topics(self, names: Iterable[str], change: int) -> None:
        for name in names:
            count = self.topics[name]
            _add(self.topics, name, change)
            if count == 0:
                self._on_topics(self.group_id, name, True)
            elif count + change == 0:
                self._on_topics(self.group_id, name, False)

    def _own(self, member_id: str, owned: Owned) -> None:
        for topic_id, partitions in owned.items():
            owners = self.owners.setdefault(topic_id, {})
            # A compacted log may name the old owner after the new one; the last word counts.
            owners.update(dict.fromkeys(partitions, member_id))

    def _disown(self, member_id: str, owned: Owned) -> None:
        for topic_id, partitions in owned.items():
            owners = self.owners.get(topic_id)
            if owners is None:
                continue
            for partition in partitions:
                if owners.get(partition) == member_id:
                    del owners[partition]
            if not owners:
                del self.owners[topic_id]


def _add(counts: Counter[str], name: str, change: int) -> None:
    count = counts[name] + change
    if count:
        counts[name] = count
    else:
        del counts[name]


def ids_of(names: Iterable[str], topics: Topics) -> frozenset[bytes]:
    """The ids of those that exist."""
    return frozenset(topic.topic_id for topic in map(topics.named, names) if topic is not None)
