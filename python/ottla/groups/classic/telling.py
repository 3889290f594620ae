"""What the end of a phase does for each member: of a large group for some at a time, while others are served.

The join phase ends at once, for all, and then they are told. The sync phase ends when the record is made, member by
member; then they are told. Whoever is not told yet and does something is told first; when the next phase begins, who
waits in its join has joined that.

Invariant: nobody is told before the phase has ended for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import final

from ottla.coordinator.machine import Now, Outbox
from ottla.groups.classic.member import Member
from ottla.groups.deadlines import Deadlines

__all__ = ["Telling"]

Tell = Callable[[Member, Outbox], None]
"""Does it for a member."""


@final
class Telling:
    """Of one phase of a group. ``tell`` does nothing twice."""

    __slots__ = ("_at_once", "_left", "_sliced", "_tell", "_then", "_timer")

    def __init__(
        self,
        members: Iterable[Member],
        at_once: int,
        tell: Tell,
        deadlines: Deadlines,
        sliced: Callable[[], None],
        then: Callable[[Outbox], None],
    ) -> None:
        """So many of ``members`` are told ``at_once``; none before ``begin``. ``sliced`` is called with each slice,
        ``then`` when all are told, unless it was cancelled."""
        self._sliced = sliced
        self._then = then
        self._left = iter(tuple(members))
        self._at_once = at_once
        self._tell = tell
        self._timer = deadlines.timer(self._some)

    @property
    def due_ms(self) -> int | None:
        """When more are told, on the monotonic clock; None when all were."""
        return self._timer.at_ms

    def begin(self, now: Now) -> None:
        """The first are due to be told, at once."""
        self._timer.set(now.monotonic_ms)

    def _some(self, outbox: Outbox) -> None:
        self._sliced()
        told = 0
        for member in islice(self._left, self._at_once):
            told += 1
            self._tell(member, outbox)
        if told == self._at_once:
            self.begin(outbox.now)
        else:
            self._then(outbox)

    def one(self, member: Member, outbox: Outbox) -> None:
        """One who cannot wait for it."""
        if self._timer.at_ms is not None:
            self._tell(member, outbox)

    def cancel(self) -> None:
        """It is over."""
        self._timer.cancel()
