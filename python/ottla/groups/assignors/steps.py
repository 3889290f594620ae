"""Long computations in steps: generators that yield whenever they have done a step's work, and return what they found.

Prior art: Seastar's ``maybe_yield``. There a clock says when; ours counts, so that the same input has the same steps
everywhere, and whoever takes the steps says how many at a time.

Invariant: what a computation finds does not depend on where it was cut.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Generator
from itertools import islice
from typing import Final, TypeAlias, TypeVar, final

__all__ = ["CHUNK", "STEP_WORK", "Pace", "Steps", "finish", "in_order"]

T = TypeVar("T")
Sortable = TypeVar("Sortable", str, bytes, tuple[str, str], tuple[int, str], tuple[float, int, bytes])

Steps: TypeAlias = Generator[None, None, T]
"""Yields after each step, returns the result."""

STEP_WORK: Final = 300
"""Units of work in a step. One is about a microsecond: what is done to a member, a topic, or a few partitions."""
CHUNK: Final = 256
"""Partitions that are looked at before work is counted."""
RUN: Final = 1024
"""So many are sorted at once: less than a millisecond."""


@final
class Pace:
    """Counts the work of one computation."""

    __slots__ = ("_done", "_step_work")

    def __init__(self, step_work: int = STEP_WORK) -> None:
        self._done = 0
        self._step_work = step_work

    def is_over(self, work: int) -> bool:
        """So much more was done. Is that a step?"""
        self._done += work
        if self._done < self._step_work:
            return False
        self._done = 0
        return True


def finish(steps: Steps[T]) -> T:
    """All steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def in_order(items: Collection[Sortable], pace: Pace) -> Steps[list[Sortable]]:
    """``sorted``."""
    if len(items) <= RUN:
        ordered = sorted(items)
        if pace.is_over(len(items)):
            yield
        return ordered
    rest = iter(items)
    runs: list[list[Sortable]] = []
    while run := sorted(islice(rest, RUN)):
        runs.append(run)
        if pace.is_over(len(run)):
            yield
    merging = heapq.merge(*runs)
    merged: list[Sortable] = []
    while some := list(islice(merging, CHUNK)):
        merged += some
        if pace.is_over(CHUNK):
            yield
    return merged
