"""Transactions that take too long, or long, and transactional ids that nobody uses any more.

Prior art: ``timedOutTransactions`` and ``removeExpiredTransactionalIds`` in Kafka, which look at every id at once. Ours
looks at some thousand and lets others have their turn; the sweep goes on at once.

Invariants: what is said to be due was looked at in the same slice; an id that comes during a sweep may be looked at by
the next one only.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final, Protocol, final

from ottla.coordinator.machine import Now
from ottla.records.transaction_state import TransactionLogValue
from ottla.transactions.changes import NO_TIMEOUT_MS, state_of
from ottla.transactions.config import TransactionsConfig
from ottla.transactions.state import EXPIRES, State

__all__ = ["Finding", "Sweeps", "has_expired", "has_timed_out", "is_open_for_long"]

LOOKS_PER_ADVANCE_MAX: Final = 3_000
CHANGES_PER_ADVANCE_MAX: Final = 100
"""Each bound some 2 ms."""


LONG_MS_MIN: Final = 60_000
"""What is open for less is in nobody's way, however short its timeout."""


class Finding(enum.Enum):
    """What a sweep finds."""

    TIMED_OUT = enum.auto()
    LONG = enum.auto()
    """Open for more than half of its time: consumers wait for it."""
    EXPIRED = enum.auto()


class _Held(Protocol):
    @property
    def value(self) -> TransactionLogValue: ...


def has_timed_out(value: TransactionLogValue, wall_ms: int) -> bool:
    """Is it open for longer than its producer wanted? One in two phases never is."""
    timeout_ms = value.transaction_timeout_ms
    return (
        state_of(value) is State.ONGOING
        and timeout_ms != NO_TIMEOUT_MS
        and value.transaction_start_timestamp_ms + timeout_ms < wall_ms
    )


def is_open_for_long(value: TransactionLogValue, wall_ms: int, timeout_ms_max: int) -> bool:
    """Is it open for so long that somebody may want to know, before its time is over? One in two phases has none:
    ``timeout_ms_max`` counts."""
    timeout_ms = value.transaction_timeout_ms
    half_ms = (timeout_ms_max if timeout_ms == NO_TIMEOUT_MS else timeout_ms) // 2
    open_ms = wall_ms - value.transaction_start_timestamp_ms
    return state_of(value) is State.ONGOING and open_ms > max(half_ms, LONG_MS_MIN)


def has_expired(value: TransactionLogValue, wall_ms: int, expiration_ms: int) -> bool:
    """Has nobody used it for so long?"""
    return state_of(value) in EXPIRES and value.transaction_last_update_timestamp_ms <= wall_ms - expiration_ms


@final
class Sweeps:
    """When to look at all transactional ids, and at which next."""

    __slots__ = ("_abort_at_ms", "_config", "_expire_at_ms", "_jobs")

    def __init__(self, config: TransactionsConfig) -> None:
        self._config = config
        self._abort_at_ms: int | None = None
        self._expire_at_ms: int | None = None
        self._jobs: deque[tuple[bool, Iterator[str]]] = deque()

    def begin(self, now: Now) -> None:
        """The log is read: the first sweeps are an interval away."""
        self._abort_at_ms = now.monotonic_ms + self._config.abort_interval_ms
        self._expire_at_ms = now.monotonic_ms + self._config.expire_interval_ms

    def next_deadline_ms(self) -> int | None:
        """When ``advance`` has something to do; long past when it has already."""
        if self._jobs or self._abort_at_ms is None or self._expire_at_ms is None:
            return 0 if self._jobs else None
        return min(self._abort_at_ms, self._expire_at_ms)

    def advance(self, now: Now, transactions: Mapping[str, _Held]) -> Iterator[tuple[str, Finding]]:
        """A slice of the work that is due: ids and what is to be done about them, one by one."""
        if self._abort_at_ms is not None and now.monotonic_ms >= self._abort_at_ms:
            self._abort_at_ms = now.monotonic_ms + self._config.abort_interval_ms
            self._jobs.append((False, iter(list(transactions))))
        if self._expire_at_ms is not None and now.monotonic_ms >= self._expire_at_ms:
            self._expire_at_ms = now.monotonic_ms + self._config.expire_interval_ms
            self._jobs.append((True, iter(list(transactions))))
        looks = found = 0
        while self._jobs and looks < LOOKS_PER_ADVANCE_MAX and found < CHANGES_PER_ADVANCE_MAX:
            expires, names = self._jobs[0]
            name = next(names, None)
            if name is None:
                self._jobs.popleft()
                continue
            looks += 1
            transaction = transactions.get(name)
            finding = None if transaction is None else self._look(transaction.value, now.wall_ms, expires=expires)
            if finding is not None:
                found += finding is not Finding.LONG
                yield name, finding

    def _look(self, value: TransactionLogValue, wall_ms: int, *, expires: bool) -> Finding | None:
        if expires:
            return Finding.EXPIRED if has_expired(value, wall_ms, self._config.expiration_ms) else None
        if has_timed_out(value, wall_ms):
            return Finding.TIMED_OUT
        return Finding.LONG if is_open_for_long(value, wall_ms, self._config.timeout_ms_max) else None
