"""Makes the targets of large groups between requests, in slices; those of small ones are made where they are needed.

Prior art: ``TargetAssignmentBuilder`` of Kafka, which has a configuration to move it to a background thread
(``group.consumer.assignor.offload.enable``) and in 4.4 calls it inside the heartbeat. Ours is something that is due,
as ``resolving`` is. Meanwhile members hear what Kafka tells them while a target is not to be made yet: they stay where
they are. It survives no restart; the next heartbeat asks again.

Invariants: a target is written whole, and for the epoch that it was made for; it gives a partition to one member. What
a group came to while its target was made is in the next one: it is begun again for that, but not for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from itertools import chain
from typing import Final, NamedTuple, final

from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record
from ottla.errors import ErrorCode
from ottla.groups.assignors import ASSIGNORS
from ottla.groups.assignors.spec import NOTHING, Assignment, MemberSpec
from ottla.groups.assignors.steps import Pace, Steps
from ottla.groups.consumer.config import ConsumerConfig
from ottla.groups.consumer.group import ConsumerGroup, Refusal
from ottla.groups.consumer.member import Member
from ottla.groups.consumer.records import target_epoch_record, target_record
from ottla.groups.consumer.state import ConsumerState
from ottla.groups.consumer.topics import Topics
from ottla.groups.records import GroupRecords
from ottla.wire.codec import WireError

__all__ = ["Assigning", "assign", "is_much"]

ATTEMPTS_MAX: Final = 3
"""So often a target is begun; the last one is for the group as it was, and what changed since comes with the next."""
REFUSED_MS: Final = 10_000
"""What the topic allows may have been raised since."""
MEMBER_WORK: Final = 10
"""What a member costs beside its topics and partitions: its record above all."""


def is_much(group: ConsumerGroup, names: Iterable[str], topics: Topics, work_max: int) -> bool:
    """Would a target for the group, with a member who subscribes to ``names``, take more than so much work?"""
    members = len(group.members) + 1
    work = MEMBER_WORK * members
    for name in chain(group.topics, (name for name in names if name not in group.topics)):
        if work > work_max:
            return True
        topic = topics.named(name)
        if topic is not None:
            work += members + topic.partition_count // 2
    return work > work_max


def assign(
    group: ConsumerGroup,
    members: Collection[Member],
    targets: Mapping[str, Assignment],
    assignor: str,
    topics: Topics,
    pace: Pace,
) -> Steps[dict[str, Assignment]]:
    """What an assignor makes of these members, who have had these targets. A topic counts as it is when its first
    subscriber is looked at."""
    known: dict[tuple[tuple[str, ...], str | None], frozenset[bytes]] = {}
    counts: dict[bytes, int] = {}
    specs: dict[str, MemberSpec] = {}
    for member in members:
        key = (member.topic_names, member.topic_regex)
        ids = known.get(key)
        work = 1
        if ids is None:
            found = [topic for topic in map(topics.named, group.topics_of(member)) if topic is not None]
            for topic in found:
                counts.setdefault(topic.topic_id, topic.partition_count)
            ids = known[key] = frozenset(topic.topic_id for topic in found)
            work += len(found)
        specs[member.member_id] = MemberSpec(ids, targets.get(member.member_id, NOTHING), member.instance_id)
        if pace.is_over(work):
            yield
    # One that this broker does not have was asked for under another configuration.
    return (yield from ASSIGNORS.get(assignor, ASSIGNORS["uniform"])(specs, counts, pace))


@final
class _Target:
    """What is written of a target: of members who get another one than they had."""

    __slots__ = ("encoded", "records", "targets")

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.encoded: list[Record] = []
        """The same as bytes."""
        self.targets: dict[str, Assignment] = {}
        """What applying them comes to."""

    def add(self, record: Record, encoded: Record, member_id: str, assignment: Assignment) -> None:
        self.records.append(record)
        self.encoded.append(encoded)
        self.targets[member_id] = assignment


class _Computed(NamedTuple):
    """A target, ready to be written."""

    epoch: int
    """Of the group, for which it was made."""
    assignments: Mapping[str, Assignment]
    static: Mapping[str, str]
    """Who had which instance id."""
    target: _Target


class _Running(NamedTuple):
    group: ConsumerGroup
    attempt: int
    steps: Steps[_Computed]


@final
class Assigning:
    """The targets that are being made for groups of a shard; one for a group at a time."""

    def __init__(self, state: ConsumerState, config: ConsumerConfig, topics: Topics) -> None:
        self._state = state
        self._config = config
        self._topics = topics
        self._codec = GroupRecords()
        self._running: deque[_Running] = deque()
        self._since_ms = 0

    def ask(self, group: ConsumerGroup, now: Now) -> None:
        """Begins to make a target for the group as it is now, unless one is being made."""
        if not group.is_assigning:
            group.is_assigning = True
            if not self._running:
                self._since_ms = now.monotonic_ms
            self._begin(group, 1)

    def _begin(self, group: ConsumerGroup, attempt: int) -> None:
        self._running.append(_Running(group, attempt, self._compute(group)))

    @property
    def due_ms(self) -> int | None:
        """At once, on the monotonic clock, while something is being made."""
        return self._since_ms if self._running else None

    def advance(self, outbox: Outbox) -> None:
        """Some steps of work."""
        for _ in range(self._config.assigning.steps_per_advance):
            if not self._running:
                return
            running = self._running[0]
            group = running.group
            if group.is_empty or self._state.groups.get(group.group_id) is not group:
                group.is_assigning = False
                self._running.popleft()
                continue
            try:
                next(running.steps)
            except StopIteration as end:
                self._running.popleft()
                self._end(running, end.value, outbox)
                # Writing it is enough for once.
                return
            except CoordinatorError as error:
                self._running.popleft()
                self._refuse(group, group.epoch, error, outbox.now)

    def _compute(self, group: ConsumerGroup) -> Steps[_Computed]:
        """Raises CoordinatorError when there is a record that has no bytes."""
        pace = Pace(self._config.assigning.step_work)
        epoch, members = group.epoch, tuple(group.members.values())
        targets, static = dict(group.target), dict(group.static)
        assignor = group.preferred_assignor() or self._config.assignors[0]
        assignments = yield from assign(group, members, targets, assignor, self._topics, pace)
        target = _Target()
        for member_id, assignment in assignments.items():
            known = targets.get(member_id)
            if known is not assignment and known != assignment:
                self._add(target, group, member_id, assignment)
            if pace.is_over(MEMBER_WORK // 2 + len(assignment)):
                yield
        return _Computed(epoch, assignments, static, target)

    def _add(self, target: _Target, group: ConsumerGroup, member_id: str, assignment: Assignment) -> None:
        record = target_record(group.group_id, member_id, assignment)
        target.add(record, self._encoded(record), member_id, assignment)

    def _encoded(self, record: Record) -> Record:
        try:
            return Record(*self._codec.encode(record))
        except WireError as error:
            raise CoordinatorError(ErrorCode.UNKNOWN_SERVER_ERROR, str(error)) from error

    def _end(self, running: _Running, computed: _Computed, outbox: Outbox) -> None:
        group, target = running.group, computed.target
        if group.epoch != computed.epoch or group.members.keys() != computed.assignments.keys():
            if running.attempt < ATTEMPTS_MAX:
                self._begin(group, running.attempt + 1)
                return
            target = self._of_those_there(group, computed)
        group.is_assigning = False
        group.refusal = None
        over = target_epoch_record(group.group_id, computed.epoch, outbox.now.wall_ms)
        target.records.append(over)
        target.encoded.append(self._encoded(over))
        try:
            outbox.emit_prepared(target.records, target.encoded, partial(self._apply, group, target.targets, over))
        except CoordinatorError as error:
            self._refuse(group, computed.epoch, error, outbox.now)

    def _of_those_there(self, group: ConsumerGroup, computed: _Computed) -> _Target:
        """Who came since has no target, who went needs none. A static member that came back under another id has what
        was meant for it: nobody else got that."""
        target = _Target()
        made = computed.target
        for (member_id, assignment), record, encoded in zip(
            made.targets.items(), made.records, made.encoded, strict=True
        ):
            if member_id in group.members:
                target.add(record, encoded, member_id, assignment)
        for instance_id, old_id in computed.static.items():
            member_id = group.static.get(instance_id, old_id)
            if member_id not in computed.assignments:
                self._add(target, group, member_id, computed.assignments[old_id])
        return target

    def _refuse(self, group: ConsumerGroup, epoch: int, error: CoordinatorError, now: Now) -> None:
        """It cannot be written: members hear of that until the group is another, or the time has come to try again."""
        group.is_assigning = False
        group.refusal = Refusal(epoch, now.wall_ms + REFUSED_MS, error.code, error.message)

    def _apply(self, group: ConsumerGroup, targets: Mapping[str, Assignment], over: Record) -> None:
        self._state.apply(over)
        group.target.update(targets)
