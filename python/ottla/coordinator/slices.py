"""Long work in slices, and a figure that shows when somebody forgot to.

One thread runs everything, so whoever computes for long keeps all others waiting. Prior art: Seastar's
``need_preempt`` and its stall detector; here a long loop asks ``Slices.pause`` now and then, and ``LoopLag`` measures
each pass of Trio's loop from inside: from the moment the loop has looked at sockets and deadlines until it looks again.

Invariants: measuring starts no task and no timer; the figures take a fixed amount of memory.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Final, final

import trio

__all__ = ["SLICE_MS", "LoopLag", "Slices"]

SLICE_MS: Final = 5
"""Longest stretch of work without giving way: others wait for a few of these at worst."""


@final
class Slices:
    """The stretch of work of one task. Made when the work begins."""

    __slots__ = ("_budget_s", "_until_s")

    def __init__(self, budget_ms: float = SLICE_MS) -> None:
        self._budget_s = budget_ms / 1000
        self._until_s = trio.current_time() + self._budget_s

    @property
    def is_spent(self) -> bool:
        """Has this task worked for a slice?"""
        return trio.current_time() >= self._until_s

    async def pause(self) -> None:
        """Gives way to other tasks once the slice is spent, otherwise returns at once; cheap enough to be called for
        every few dozen records."""
        if self.is_spent:
            await trio.lowlevel.checkpoint()
            self._until_s = trio.current_time() + self._budget_s


_BUCKETS_PER_DOUBLING: Final = 4
_SMALLEST_MS: Final = 0.125
_BUCKETS: Final = 80
"""From an eighth of a millisecond to some two minutes."""


@final
class LoopLag(trio.abc.Instrument):
    """How long a request that arrives at a random moment waits until the loop looks at it: ``loop_lag``.

    A pass of a given length is the wait of whoever arrives at its beginning, and counts as much as it is long, since
    so many arrive during it; while the loop sleeps nobody waits. Used as an instrument of the Trio run.
    """

    def __init__(self, clock_s: Callable[[], float] = trio.current_time) -> None:
        """``clock_s``: what the length of a pass is measured with."""
        self._clock_s = clock_s
        self._began_s: float | None = None
        self._since_s: float | None = None
        self._busy_s = [0.0] * _BUCKETS
        self._longest_s = 0.0

    def after_io_wait(self, timeout: float) -> None:
        self._began_s = self._clock_s()
        if self._since_s is None:
            self._since_s = trio.current_time()

    def before_io_wait(self, timeout: float) -> None:
        if self._began_s is not None:
            pass_s = self._clock_s() - self._began_s
            if pass_s > 0:
                self._busy_s[_bucket(pass_s * 1000)] += pass_s
                self._longest_s = max(self._longest_s, pass_s)

    def reset(self) -> None:
        """Forget what was measured: from now on."""
        self._since_s = trio.current_time()
        self._busy_s = [0.0] * _BUCKETS
        self._longest_s = 0.0

    @property
    def longest_ms(self) -> float:
        """Of all passes."""
        return self._longest_s * 1000

    def quantile_ms(self, quantile: float) -> float:
        """That share of all moments had to wait no longer; rounded up by a fifth at most. Inside the Trio run."""
        assert 0 <= quantile <= 1
        if self._since_s is None:
            return 0.0
        beyond_s = (trio.current_time() - self._since_s) * (1 - quantile)
        waited_s = 0.0
        for bucket in reversed(range(_BUCKETS)):
            waited_s += self._busy_s[bucket]
            if self._busy_s[bucket] and waited_s >= beyond_s:
                return min(_upper_ms(bucket), self.longest_ms)
        return 0.0


def _upper_ms(bucket: int) -> float:
    return float(_SMALLEST_MS * 2 ** (bucket / _BUCKETS_PER_DOUBLING))


_UPPER_MS: Final = tuple(_upper_ms(bucket) for bucket in range(_BUCKETS))


def _bucket(pass_ms: float) -> int:
    if pass_ms <= _SMALLEST_MS:
        return 0
    return min(bisect_left(_UPPER_MS, pass_ms), _BUCKETS - 1)
