"""What is due for a member: its session, and the phases that it has to get through in its rebalance timeout.

Prior art: Kafka's timers by key, ``rebalance-timeout-group-member`` and three more. None of this is in the log: after a
load every session begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, final

from ottla.coordinator.machine import CoordinatorError, Outbox
from ottla.groups.consumer.group import ConsumerGroup
from ottla.groups.deadlines import Deadlines, Timer
from ottla.groups.standing import Standings

__all__ = ["MemberTimers", "Sessions"]

RETRY_MS: Final = 500
"""As Kafka's, when what is due cannot be written: the group is too large for a batch."""

Fence = Callable[[ConsumerGroup, str, Outbox], None]
"""Removes a member of a group. Raises CoordinatorError, having changed nothing."""


@final
class MemberTimers:
    """Those of one member, made when they are first set."""

    __slots__ = ("join", "rebalance", "session", "sync")

    def __init__(self) -> None:
        self.session: Timer | None = None
        self.rebalance: Timer | None = None
        """It has to give partitions up."""
        self.join: Timer | None = None
        """A classic member was told to join again."""
        self.sync: Timer | None = None
        """A classic member joined and has to fetch its assignment."""

    def cancel(self) -> None:
        """The member is gone."""
        for timer in (self.session, self.rebalance, self.join, self.sync):
            if timer is not None:
                timer.cancel()


@final
class Sessions:
    """The timers of all members of a shard. A member that is removed loses them (``ConsumerGroup``)."""

    __slots__ = ("_deadlines", "_fence", "_standings")

    def __init__(self, deadlines: Deadlines, standings: Standings, fence: Fence) -> None:
        self._deadlines = deadlines
        self._standings = standings
        self._fence = fence

    def heard(self, group: ConsumerGroup, member_id: str, at_ms: int) -> Timer:
        """The member is there; it is fenced at ``at_ms`` unless it is heard of again. Returns its session."""
        timers = group.timers.get(member_id)
        session = None if timers is None else timers.session
        if session is None:
            session = self._timers(group, member_id).session = self._session(group, member_id)
        session.set(at_ms)
        return session

    def expect_revocation(self, group: ConsumerGroup, member_id: str, epoch: int, at_ms: int) -> None:
        """The member is fenced if it is in the same epoch then."""
        timers = self._timers(group, member_id)
        if timers.rebalance is not None:
            timers.rebalance.cancel()
        timers.rebalance = self._deadlines.timer(partial(self._revocation_over, group, member_id, epoch))
        timers.rebalance.set(at_ms)

    def revoked(self, group: ConsumerGroup, member_id: str) -> None:
        """There is nothing to give up, or no longer."""
        timers = group.timers.get(member_id)
        if timers is not None and timers.rebalance is not None:
            timers.rebalance.cancel()
            timers.rebalance = None

    def expect_join(self, group: ConsumerGroup, member_id: str, at_ms: int) -> None:
        """A classic member is fenced unless it joins by then, or by when it was told to before."""
        timers = self._timers(group, member_id)
        if timers.join is None:
            timers.join = self._fencing(group, member_id)
        if timers.join.at_ms is None:
            timers.join.set(at_ms)

    def joined(self, group: ConsumerGroup, member_id: str) -> None:
        timers = group.timers.get(member_id)
        if timers is not None and timers.join is not None:
            timers.join.cancel()

    def expect_sync(self, group: ConsumerGroup, member_id: str, at_ms: int) -> None:
        """A classic member is fenced unless it fetches its assignment by then."""
        timers = self._timers(group, member_id)
        if timers.sync is None:
            timers.sync = self._fencing(group, member_id)
        timers.sync.set(at_ms)

    def synced(self, group: ConsumerGroup, member_id: str) -> None:
        timers = group.timers.get(member_id)
        if timers is not None and timers.sync is not None:
            timers.sync.cancel()

    def _timers(self, group: ConsumerGroup, member_id: str) -> MemberTimers:
        timers = group.timers.get(member_id)
        if timers is None:
            timers = group.timers[member_id] = MemberTimers()
        return timers

    def _session(self, group: ConsumerGroup, member_id: str) -> Timer:
        def over(outbox: Outbox) -> None:
            over_ms = self._standings.outlived_ms(group.group_id, member_id, outbox.now.monotonic_ms)
            if over_ms is None:
                self._try_to_fence(group, member_id, outbox, timer)
            else:
                timer.set(over_ms)

        timer = self._deadlines.timer(over)
        return timer

    def _fencing(self, group: ConsumerGroup, member_id: str) -> Timer:
        def over(outbox: Outbox) -> None:
            self._try_to_fence(group, member_id, outbox, timer)

        timer = self._deadlines.timer(over)
        return timer

    def _revocation_over(self, group: ConsumerGroup, member_id: str, epoch: int, outbox: Outbox) -> None:
        member = group.members.get(member_id)
        timer = group.timers[member_id].rebalance
        if member is not None and member.epoch == epoch and timer is not None:
            self._try_to_fence(group, member_id, outbox, timer)

    def _try_to_fence(self, group: ConsumerGroup, member_id: str, outbox: Outbox, timer: Timer) -> None:
        try:
            self._fence(group, member_id, outbox)
        except CoordinatorError:
            timer.set(outbox.now.monotonic_ms + RETRY_MS)
