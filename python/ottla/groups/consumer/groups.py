"""The consumer groups of one partition of ``__consumer_offsets``: the ways in.

A member of the new protocol says everything in one request, ConsumerGroupHeartbeat, and hears everything in its answer;
nothing waits. A group exists from its first record to its tombstones. Classic members of such a group are served by
``ottla.groups.consumer.classic_members``.

Prior art: the modern half of Kafka's ``GroupMetadataManager``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final, final

from ottla.coordinator.machine import Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.classic.groups import ClassicGroups
from ottla.groups.consumer.classic_members import ClassicMembers
from ottla.groups.consumer.config import ConsumerConfig
from ottla.groups.consumer.core import ConsumerCore
from ottla.groups.consumer.describing import describe
from ottla.groups.consumer.group import ConsumerGroup
from ottla.groups.consumer.heartbeats import Heartbeats
from ottla.groups.consumer.member import MemberState
from ottla.groups.consumer.patterns import compile_pattern
from ottla.groups.consumer.records import group_tombstones
from ottla.groups.consumer.regex import Compile
from ottla.groups.consumer.topics import TopicHashes
from ottla.groups.standing import Standings
from ottla.wire.k69_consumer_group_describe import DescribedGroup

__all__ = ["ConsumerGroups"]

TIMERS_PER_ADVANCE_MAX: Final = 64
"""Some milliseconds of work; what is left is due at once."""


@final
class ConsumerGroups:
    """A machine of its own, and a part of the shard that holds groups of every protocol."""

    def __init__(
        self,
        config: ConsumerConfig,
        hashes: TopicHashes,
        classic: ClassicGroups,
        new_id: Callable[[], str],
        compile_: Compile = compile_pattern,
        standings: Standings | None = None,
    ) -> None:
        """``classic``: the classic groups of the same shard, which become groups of this protocol, and the reverse;
        records of either may be emitted here. ``new_id`` gives a text that nobody had before: a uuid. ``standings``: of
        the shard."""
        if standings is None:
            standings = Standings()
        self._core = ConsumerCore(config, hashes, classic, new_id, compile_, standings)
        self._groups = self._core.state.groups
        self.heartbeat: Final = Heartbeats(self._core).heartbeat
        self.classic_members: Final = ClassicMembers(self._core)

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[ConsumerGroup]:
        return iter(self._groups.values())

    def __contains__(self, group_id: str) -> bool:
        return group_id in self._groups

    def get(self, group_id: str) -> ConsumerGroup | None:
        return self._groups.get(group_id)

    def describe(self, group_id: str, reply: Reply[DescribedGroup], outbox: Outbox) -> None:
        """The group with its members, or GROUP_ID_NOT_FOUND."""
        group = self._groups.get(group_id)
        if group is None:
            is_other = self._core.classic.get(group_id) is not None
            why = f"Group {group_id} is not a consumer group." if is_other else f"Group {group_id} not found."
            code = ErrorCode.GROUP_ID_NOT_FOUND
            outbox.answer(reply, DescribedGroup(group_id=group_id, error_code=code, error_message=why))
        else:
            outbox.answer(reply, describe(group, self._core.topics, self._core.config.assignors[0]))

    def tombstones(self, group_id: str) -> list[Record]:
        """What ends a group without members."""
        group = self._groups[group_id]
        assert group.is_empty, "a group with members does not end"
        return group_tombstones(group_id, (), tuple(group.regexes))

    def topics_changed(self, names: Collection[str], *, created: bool) -> None:
        """Topics were created, deleted, or got partitions; ``hashes`` know it already. ``created``: some are new, so
        that expressions may match more."""
        if created:
            self._core.standings.topics_created()
            self._core.resolving.created_version = self._core.topics.version
        self._core.state.stale(names)

    # The machine.

    def apply(self, record: Record) -> None:
        """Takes the records of types 3 to 8 and 16."""
        self._core.state.apply(record)

    def loaded(self, now: Now) -> None:
        """Every member gets a session, and its time to give partitions up."""
        sessions = self._core.sessions
        for group in self._groups.values():
            at_ms = now.monotonic_ms + self._core.config.settings(group.group_id).session_timeout_ms
            for member in group.members.values():
                sessions.heard(group, member.member_id, at_ms)
                if member.state is MemberState.UNREVOKED_PARTITIONS:
                    over_ms = now.monotonic_ms + member.rebalance_timeout_ms
                    sessions.expect_revocation(group, member.member_id, member.epoch, over_ms)

    def next_deadline_ms(self) -> int | None:
        """When the next session ends; at once, while expressions are resolved or targets made."""
        next_ms = self._core.deadlines.next_ms()
        for due_ms in (self._core.resolving.due_ms, self._core.assigning.due_ms):
            if due_ms is not None and (next_ms is None or due_ms < next_ms):
                next_ms = due_ms
        return next_ms

    def advance(self, outbox: Outbox) -> None:
        """Ends sessions, finds the topics of expressions, makes targets."""
        for _ in range(TIMERS_PER_ADVANCE_MAX):
            timer = self._core.deadlines.pop(outbox.now.monotonic_ms)
            if timer is None:
                break
            timer.action(outbox)
        self._core.resolving.advance(outbox)
        self._core.assigning.advance(outbox)
