"""Answers that the data plane may give again by itself: heartbeats of groups that nothing happens to.

Who has heard that all is well will hear it again, until something happens; and a heartbeat changes nothing but when its
member was heard last. So a core that answers one offers the answer to stand (``Offer``). When it leaves, if nothing has
happened since, the data plane keeps it and answers the same request from then on, noting when. Whatever happens to a
group goes through ``Standings.disturbed`` before anything is decided, which ends all that stands of the group; what was
noted until then moves the sessions of its members.

Prior art: leases. Kafka has nothing like it: there each heartbeat goes through the coordinator's queue.

Invariants: an answer stands for as long as asking the machine would give it, or less; it stands for one session timeout
at most, so that a coordinator that looks after nobody any more does not keep members; no use of it is lost: a member is
silent only after its answer was taken back and the last use was looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, final

from ottla.coordinator.machine import Standing
from ottla.groups.deadlines import Timer

__all__ = ["Offer", "Standings"]


class _Held(NamedTuple):
    """A member's answer that stands."""

    standing: Standing
    session: Timer
    timeout_ms: int

    def withdraw(self) -> None:
        over_ms = self.standing.withdraw() + self.timeout_ms
        if self.session.at_ms is not None and self.session.at_ms < over_ms:
            self.session.set(over_ms)


@final
class _Calm:
    """A group since something last happened to it."""

    __slots__ = ("held", "is_over")

    def __init__(self) -> None:
        self.held: dict[str, _Held] = {}
        """By member id."""
        self.is_over = False

    def end(self) -> None:
        self.is_over = True
        for held in self.held.values():
            held.withdraw()


@final
class Offer(NamedTuple):
    """``Offer`` of ``ottla.coordinator.machine``: the answer to one heartbeat."""

    calm: _Calm
    member_id: str
    session: Timer
    timeout_ms: int
    used_ms: int
    until_ms: int

    @property
    def is_good(self) -> bool:
        return not self.calm.is_over

    def hold(self, standing: Standing) -> None:
        held = self.calm.held
        before = held.get(self.member_id)
        if before is not None:
            before.withdraw()
        held[self.member_id] = _Held(standing, self.session, self.timeout_ms)


def _nobody(_group_id: str) -> None:
    return


def _never(_group_id: str, _member_id: str) -> None:
    return


@final
class Standings:
    """What stands of the groups of a shard."""

    __slots__ = ("_calm", "_matching", "_told", "last_commit_ms")

    def __init__(
        self,
        told: Callable[[str], None] = _nobody,
        last_commit_ms: Callable[[str, str], int | None] = _never,
    ) -> None:
        """``told``: who else has to know that something happens to a group, at once. ``last_commit_ms``: when the data
        plane last let a member of a group commit, on the monotonic clock, as far as that was not told here."""
        self.last_commit_ms = last_commit_ms
        self._calm: dict[str, _Calm] = {}
        """By group id: those of which something stands, or may soon."""
        self._matching: set[str] = set()
        """Those among them that subscribe by expressions."""
        self._told = told

    def offer(self, group_id: str, member_id: str, session: Timer, now_ms: int, timeout_ms: int) -> Offer:
        """What a member was just told, ``now_ms``, it may be told again."""
        calm = self._calm.get(group_id)
        if calm is None:
            calm = self._calm[group_id] = _Calm()
        return Offer(calm, member_id, session, timeout_ms, now_ms, now_ms + timeout_ms)

    def offer_while(
        self, lasts_ms: int, group_id: str, member_id: str, session: Timer, now_ms: int, timeout_ms: int
    ) -> Offer:
        """The same in a group that subscribes by expressions: not for longer than ``lasts_ms``."""
        self._matching.add(group_id)
        offer = self.offer(group_id, member_id, session, now_ms, timeout_ms)
        return offer._replace(until_ms=min(offer.until_ms, now_ms + lasts_ms))

    def disturbed(self, group_id: str) -> None:
        """Something happens to a group: to be called before it does."""
        calm = self._calm.pop(group_id, None)
        if calm is not None:
            self._matching.discard(group_id)
            calm.end()
        self._told(group_id)

    def topics_created(self) -> None:
        """Expressions may match more than they did."""
        for group_id in list(self._matching):
            self.disturbed(group_id)

    def all_disturbed(self) -> None:
        """Something that concerns all groups happens, or they are given up."""
        for group_id in list(self._calm):
            self.disturbed(group_id)

    def outlived_ms(self, group_id: str, member_id: str, now_ms: int) -> int | None:
        """The session of a member is over, as far as was known: when it is, in truth; None when it is. A member whose
        session is over has no answer that stands."""
        calm = self._calm.get(group_id)
        held = None if calm is None else calm.held.get(member_id)
        if calm is None or held is None:
            return None
        over_ms = held.standing.used_ms() + held.timeout_ms
        if over_ms <= now_ms:
            # It may be used until it is taken back.
            del calm.held[member_id]
            over_ms = held.standing.withdraw() + held.timeout_ms
        return over_ms if over_ms > now_ms else None
