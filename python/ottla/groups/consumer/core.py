"""What all ways into consumer groups share: the state, the timers, and the two things that happen to a group, a member
that changes and members that go.

Prior art: the private half of Kafka's ``GroupMetadataManager``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, final

from ottla.coordinator.machine import CoordinatorError, Outbox
from ottla.groups.classic.groups import ClassicGroups
from ottla.groups.consumer.assigning import Assigning
from ottla.groups.consumer.config import ConsumerConfig
from ottla.groups.consumer.group import ConsumerGroup
from ottla.groups.consumer.leaving import fencing_records
from ottla.groups.consumer.member import Member, MemberState
from ottla.groups.consumer.migration import downgrade, may_downgrade
from ottla.groups.consumer.regex import Compile, Describable
from ottla.groups.consumer.resolving import Resolving
from ottla.groups.consumer.sessions import Sessions
from ottla.groups.consumer.state import ConsumerState
from ottla.groups.consumer.topics import TopicHashes
from ottla.groups.consumer.update import Update, Updater
from ottla.groups.deadlines import Deadlines
from ottla.groups.standing import Standings

__all__ = ["ConsumerCore"]


@final
class ConsumerCore:
    """For ``ottla.groups.consumer`` alone. ``new_id`` gives a text that nobody had before."""

    def __init__(
        self,
        config: ConsumerConfig,
        hashes: TopicHashes,
        classic: ClassicGroups,
        new_id: Callable[[], str],
        compile_: Compile,
        standings: Standings,
    ) -> None:
        self.config: Final = config
        self.hashes: Final = hashes
        self.topics: Final = hashes.topics
        self.classic: Final = classic
        self.new_id: Final = new_id
        self.standings: Final = standings
        self.state: Final = ConsumerState(standings)
        self.deadlines: Final = Deadlines()
        self.sessions: Final = Sessions(self.deadlines, standings, self._expire)
        self.resolving: Final = Resolving(self.state, hashes, compile_)
        self.assigning: Final = Assigning(self.state, config, self.topics)
        self.updater: Final = Updater(config, hashes, compile_, self.resolving)

    def emit(self, update: Update, describable: Describable, outbox: Outbox) -> Member:
        """The member as the update makes it, and what is soft. Raises CoordinatorError, having changed nothing."""
        group_id = update.group.group_id
        if update.dissolves:
            self.classic.dissolve(group_id, outbox, *update.records)
        elif update.records:
            outbox.emit(*update.records)
        now, after = outbox.now, update.after
        group = self.state.groups.get(group_id)
        assert group is not None, "a member that joins writes a record"
        if update.dissolves:
            for member in group.members.values():
                if member.classic is not None:
                    at_ms = now.monotonic_ms + member.classic.session_timeout_ms
                    self.sessions.heard(group, member.member_id, at_ms)
        if update.refreshed:
            group.is_fresh = True
        if update.asks:
            self.resolving.ask(group, update.asks, describable, now)
        if update.assigns:
            self.assigning.ask(group, now)
        if after.classic is None and update.moved:
            if after.state is MemberState.UNREVOKED_PARTITIONS:
                at_ms = now.monotonic_ms + after.rebalance_timeout_ms
                self.sessions.expect_revocation(group, after.member_id, after.epoch, at_ms)
            else:
                self.sessions.revoked(group, after.member_id)
        return after

    def fence(self, group: ConsumerGroup, members: Sequence[Member], outbox: Outbox) -> None:
        """Takes members out, whether they know it or not. A group of which only classic members remain becomes a
        classic one, if it can; Kafka keeps the members where it cannot. Raises CoordinatorError, having changed
        nothing."""
        if not self._downgrades(group, members, outbox):
            outbox.emit(*fencing_records(group, members, self.hashes))

    def _downgrades(self, group: ConsumerGroup, leaving: Sequence[Member], outbox: Outbox) -> bool:
        if not may_downgrade(group, leaving, len(group.members) - len(leaving), self.config):
            return False
        try:
            become = downgrade(group, leaving, None, self.topics, outbox.now)
            self.classic.adopt(
                group.group_id, become.value, become.protocols, outbox, rebalance=True, instead_of=become.tombstones
            )
        except CoordinatorError:
            # What a member said cannot be read, or the whole is too large for a batch.
            return False
        return True

    def _expire(self, group: ConsumerGroup, member_id: str, outbox: Outbox) -> None:
        self.fence(group, (group.members[member_id],), outbox)
