"""Requests that wait until the transaction before is complete.

Prior art: Kafka refuses them with CONCURRENT_TRANSACTIONS, and clients try again 20 to 100 ms later, although markers
take less than one where nothing is wrong. Ours keeps them for a while, and does what they ask the moment the markers
are written; only when that takes long are they refused, as Kafka's clients expect.

Invariants: who waits does so until a moment that is not put off; of one transactional id, who came first goes first;
so many wait at most, of one id and of all.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, final

from ottla.coordinator.machine import Outbox, Reply

__all__ = ["Waiter", "Waiting"]

WAITERS_PER_ID_MAX: Final = 32
"""A producer asks its coordinator one thing at a time, and leaders of partitions one each; the rest is no client."""
WAITERS_MAX: Final = 10_000
"""Some megabytes."""


@final
class Waiter:
    """One request. ``again`` does what it asks, once more; ``refuse`` says that it took too long."""

    __slots__ = ("again", "is_gone", "refuse", "reply", "until_ms")

    def __init__(
        self,
        reply: Reply[Any],
        until_ms: int,
        again: Callable[[Outbox, int], None],
        refuse: Callable[[Outbox], None],
    ) -> None:
        self.reply = reply
        self.until_ms = until_ms
        self.again = again
        self.refuse = refuse
        self.is_gone = False


@final
class Waiting:
    """All that wait in a shard."""

    __slots__ = ("_by_id", "_count", "_heap", "_order")

    def __init__(self) -> None:
        self._by_id: dict[str, list[Waiter]] = {}
        self._heap: list[tuple[int, int, str, Waiter]] = []
        self._order = itertools.count()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Waiter]:
        for waiters in self._by_id.values():
            yield from waiters

    @property
    def ids(self) -> Iterable[str]:
        """Those for which somebody waits."""
        return self._by_id.keys()

    def add(self, transactional_id: str, waiter: Waiter) -> bool:
        """Whether there is room."""
        waiters = self._by_id.get(transactional_id, [])
        if len(waiters) >= WAITERS_PER_ID_MAX or self._count >= WAITERS_MAX:
            return False
        self._by_id.setdefault(transactional_id, waiters).append(waiter)
        self._count += 1
        heapq.heappush(self._heap, (waiter.until_ms, next(self._order), transactional_id, waiter))
        return True

    def take(self, transactional_id: str) -> list[Waiter]:
        """All who wait for this one, in the order in which they came; they wait no longer."""
        waiters = self._by_id.pop(transactional_id, [])
        for waiter in waiters:
            waiter.is_gone = True
        self._count -= len(waiters)
        return waiters

    def next_deadline_ms(self) -> int | None:
        while self._heap and self._heap[0][3].is_gone:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def overdue(self, now_ms: int) -> Iterator[Waiter]:
        """Those who have waited long enough; each waits no longer once it is given."""
        while (due_ms := self.next_deadline_ms()) is not None and due_ms <= now_ms:
            _, _, transactional_id, waiter = heapq.heappop(self._heap)
            waiters = self._by_id[transactional_id]
            waiters.remove(waiter)
            if not waiters:
                del self._by_id[transactional_id]
            waiter.is_gone = True
            self._count -= 1
            yield waiter
