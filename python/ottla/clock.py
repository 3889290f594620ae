"""Time as something that is passed in: the only reader of the machine's clocks, and a clock for tests.

Cores take ``now`` as an argument; shells own a ``Clock``. Wall time goes into records, monotonic time into deadlines.
Invariant: nothing else in the package reads a clock.
"""

from __future__ import annotations

import time
from typing import Protocol, final

__all__ = ["Clock", "ManualClock", "SystemClock"]


class Clock(Protocol):
    """What a shell may ask about time. Never blocks."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970, for timestamps; may jump."""

    def monotonic_ms(self) -> int:
        """Milliseconds since some start, for deadlines; never goes back."""


@final
class SystemClock:
    """The machine's clocks."""

    __slots__ = ()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000


@final
class ManualClock:
    """A clock that stands still until told otherwise."""

    __slots__ = ("_monotonic_ms", "_wall_ms")

    def __init__(self, wall_ms: int = 1_700_000_000_000) -> None:
        self._wall_ms = wall_ms
        self._monotonic_ms = 0

    def wall_ms(self) -> int:
        return self._wall_ms

    def monotonic_ms(self) -> int:
        return self._monotonic_ms

    def advance(self, milliseconds: int) -> None:
        """Let ``milliseconds`` pass on both clocks."""
        assert milliseconds >= 0
        self._wall_ms += milliseconds
        self._monotonic_ms += milliseconds
