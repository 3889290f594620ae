"""Long work in slices, and a figure that shows when somebody forgot to.

One thread runs everything, so whoever computes for long keeps all others waiting. Prior art: Seastar's
``need_preempt`` and its stall detector; here a long loop asks ``Slices.pause`` now and then, and ``LoopLag`` measures
each pass of Trio's loop from inside: from the moment the loop has looked at sockets and deadlines until it looks again.

What others take from this thread is in the lag, since requests wait for it all the same: a core that it waits for, the
interpreter's lock. ``Lag.on_core`` beside ``Lag.busy`` says how much of it was work of this thread.

Invariants: measuring starts no task and no timer; the figures take a fixed amount of memory.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, final

import trio

__all__ = ["SLICE_MS", "Lag", "LoopLag", "Mark", "Slices"]

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


class Mark(NamedTuple):
    """The figures as they were at a moment."""

    at_s: float
    busy_s: tuple[float, ...]
    on_core_s: float


class Lag(NamedTuple):
    """How it was for some time."""

    p999_ms: float
    """One request in a thousand waited longer, had they come at all moments alike; rounded up by a fifth at most."""
    longest_ms: float
    """The longest pass; rounded up by a fifth at most."""
    busy: float
    """The share of the time in which this thread had something to do."""
    on_core: float
    """The share in which it did: the difference is what it waited for."""


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

    def mark(self) -> Mark:
        """For ``since``. On the thread of the Trio run."""
        return Mark(trio.current_time(), tuple(self._busy_s), time.thread_time())

    def since(self, mark: Mark) -> Lag:
        """From then until now. On the thread of the Trio run."""
        now = self.mark()
        passed_s = max(now.at_s - mark.at_s, 1e-9)
        busy_s = [after - before for after, before in zip(now.busy_s, mark.busy_s, strict=True)]
        longest = max((bucket for bucket in range(_BUCKETS) if busy_s[bucket] > 0), default=None)
        return Lag(
            _quantile_ms(busy_s, passed_s, 0.999),
            0.0 if longest is None else _upper_ms(longest),
            sum(busy_s) / passed_s,
            (now.on_core_s - mark.on_core_s) / passed_s,
        )

    @property
    def longest_ms(self) -> float:
        """Of all passes."""
        return self._longest_s * 1000

    def quantile_ms(self, quantile: float) -> float:
        """That share of all moments had to wait no longer; rounded up by a fifth at most. Inside the Trio run."""
        assert 0 <= quantile <= 1
        if self._since_s is None:
            return 0.0
        passed_s = trio.current_time() - self._since_s
        return min(_quantile_ms(self._busy_s, passed_s, quantile), self.longest_ms)


def _quantile_ms(busy_s: Sequence[float], passed_s: float, quantile: float) -> float:
    beyond_s = passed_s * (1 - quantile)
    waited_s = 0.0
    for bucket in reversed(range(_BUCKETS)):
        waited_s += busy_s[bucket]
        if busy_s[bucket] > 0 and waited_s >= beyond_s:
            return _upper_ms(bucket)
    return 0.0


def _upper_ms(bucket: int) -> float:
    return float(_SMALLEST_MS * 2 ** (bucket / _BUCKETS_PER_DOUBLING))


_UPPER_MS: Final = tuple(_upper_ms(bucket) for bucket in range(_BUCKETS))


def _bucket(pass_ms: float) -> int:
    if pass_ms <= _SMALLEST_MS:
        return 0
    return min(bisect_left(_UPPER_MS, pass_ms), _BUCKETS - 1)
