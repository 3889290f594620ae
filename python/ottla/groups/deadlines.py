"""What is due when: the timers of a whole shard in one heap.

Prior art: Kafka's timing wheel, where a heartbeat cancels one task and inserts another. Ours: a deadline that moves
later, as nearly all do, is one assignment; the heap learns of it when the old moment comes. So a heartbeat costs no
heap operation, and a member costs one per session timeout; for that, the moment to look next may come too soon. A
heartbeat that the data plane answers by itself does not come here at all: whose session is due asks for it
(``ottla.groups.standing``).

Invariants: a timer that is set has exactly one valid entry in the heap, at its moment or before it; entries that are
stale are dropped when they come up, or all at once when they are more than the valid ones.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final, final

from ottla.coordinator.machine import Outbox

__all__ = ["Deadlines", "Timer"]

STALE_MIN: Final = 1024
"""Below so many entries the heap is not worth tidying."""


@final
class Timer:
    """One thing that may become due. ``action`` does it, then the timer is no longer set."""

    __slots__ = ("_deadlines", "_entry_ms", "action", "at_ms")

    def __init__(self, deadlines: Deadlines, action: Callable[[Outbox], None]) -> None:
        self._deadlines = deadlines
        self._entry_ms: int | None = None
        """Where its valid entry stands in the heap."""
        self.action = action
        self.at_ms: int | None = None
        """When it is due, on the monotonic clock; None when it is not set."""

    def set(self, at_ms: int) -> None:
        """Due at a moment, whatever was said before."""
        self.at_ms = at_ms
        entry_ms = self._entry_ms
        if entry_ms is None or at_ms < entry_ms:
            if entry_ms is not None:
                self._deadlines.stale()
            self._entry_ms = at_ms
            self._deadlines.push(at_ms, self)

    def cancel(self) -> None:
        """Not due at all."""
        self.at_ms = None
        if self._entry_ms is not None:
            self._entry_ms = None
            self._deadlines.stale()

    def _come_up(self, entry_ms: int) -> bool:
        """Its entry was taken out of the heap. Is it due?"""
        if self._entry_ms != entry_ms or self.at_ms is None:
            self._deadlines.stale(-1)
            return False
        self._entry_ms = None
        if self.at_ms > entry_ms:
            self.set(self.at_ms)
            return False
        return True


@final
class Deadlines:
    """The timers of a shard."""

    __slots__ = ("_heap", "_order", "_stale")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = 0
        self._stale = 0

    def __len__(self) -> int:
        """Entries held, stale ones included: what memory depends on."""
        return len(self._heap)

    def timer(self, action: Callable[[Outbox], None]) -> Timer:
        """A new timer, not set."""
        return Timer(self, action)

    def next_ms(self) -> int | None:
        """When to look for what is due: at the moment of the earliest timer, or before it. None when none is set."""
        while self._heap:
            entry_ms, _, timer = self._heap[0]
            if timer._entry_ms == entry_ms:
                return entry_ms
            heapq.heappop(self._heap)
            timer._come_up(entry_ms)
        return None

    def pop(self, now_ms: int) -> Timer | None:
        """Takes out a timer that is due, the earliest first; of one moment, the one that was set first. After None
        nothing is to be looked for before ``now_ms`` is over."""
        while self._heap and self._heap[0][0] <= now_ms:
            entry_ms, _, timer = heapq.heappop(self._heap)
            if timer._come_up(entry_ms):
                timer.at_ms = None
                return timer
        return None

    def push(self, at_ms: int, timer: Timer) -> None:
        """An entry for a timer: for ``Timer`` alone."""
        self._order += 1
        heapq.heappush(self._heap, (at_ms, self._order, timer))

    def stale(self, count: int = 1) -> None:
        """So many more entries mean nothing: for ``Timer`` alone."""
        self._stale += count
        if self._stale > STALE_MIN and 2 * self._stale > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2]._entry_ms == entry[0]]
            heapq.heapify(self._heap)
            self._stale = 0
