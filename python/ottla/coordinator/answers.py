"""Answers that may leave, given out in slices.

One operation may answer a thousand requests: when a group has joined, every member waits for that. Each answer wakes a
task that encodes it, and all that are awake run in the same pass of the loop, so nobody else would be served meanwhile.

Invariant: answers leave in the order in which they were given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import final

import trio

from ottla.coordinator.shard import ANSWERS_PER_PASS

__all__ = ["Answers"]


@final
class Answers:
    """Each is a call that settles one reply. ``run`` must be running for more than a few at a time."""

    __slots__ = ("_news", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._news = trio.Event()

    def give(self, answers: Sequence[Callable[[], None]]) -> None:
        """A few are given out at once, when none wait before them."""
        if not self._waiting and len(answers) <= ANSWERS_PER_PASS:
            for settle in answers:
                settle()
        else:
            self._waiting += answers
            self._news.set()

    def give_out(self) -> None:
        """All that wait, now."""
        while self._waiting:
            self._waiting.popleft()()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            while self._waiting:
                for _ in range(min(ANSWERS_PER_PASS, len(self._waiting))):
                    self._waiting.popleft()()
                await trio.lowlevel.checkpoint()
            self._news = trio.Event()
            await self._news.wait()
