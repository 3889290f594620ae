"""Writes what the operations of a pass have left, one batch for each partition.

Prior art: the append linger of Kafka's ``CoordinatorRuntime``. Here a batch goes at the end of the drain, or of the
pass of the loop, that made it; one that nobody waits for rests a little, and goes with the next one.

Invariant: of a partition one batch is under way at a time, so that a batch never follows one that failed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar, final

import trio

from ottla.clock import Clock
from ottla.coordinator.log import Appended, CoordinatorLog, LogError, Marker, refuses_producer
from ottla.coordinator.machine import CoordinatorError, Machine
from ottla.coordinator.shard import Batch, RecordCodec, Shard

__all__ = ["REST_MS", "Led", "Writing"]

M = TypeVar("M", bound=Machine)

REST_MS: Final = 10
"""Kafka's default ``append.linger.ms`` of old, for batches that nobody waits for: most get company long before, as the
end of a transaction does by the beginning of the next one."""


@final
class Led(Generic[M]):
    """A partition that this broker leads, and what its task works with."""

    __slots__ = ("_failed", "error", "failures", "log", "ready", "scope", "shard")

    def __init__(
        self,
        partition: int,
        leader_epoch: int,
        log: CoordinatorLog,
        codec: RecordCodec,
        ready: Callable[[], Awaitable[None]],
        wake: Callable[[Led[M]], None],
        give: Callable[[Sequence[Callable[[], None]]], None],
    ) -> None:
        self.shard: Final[Shard[M]] = Shard(partition, leader_epoch, codec, lambda: wake(self), give)
        self.log: Final = log
        self.ready: Final = ready
        self.scope: Final = trio.CancelScope()
        self.failures = 0
        """Since the last append that succeeded."""
        self.error: LogError | None = None
        self._failed = trio.Event()

    def fail(self, error: LogError) -> None:
        """An append failed."""
        self.error = error
        self._failed.set()

    async def failed(self) -> LogError:
        """Waits until an append fails."""
        await self._failed.wait()
        error, self.error, self._failed = self.error, None, trio.Event()
        assert error is not None
        return error


@final
class Writing(Generic[M]):
    """Of the partitions of one runtime. ``run`` must be running."""

    def __init__(
        self,
        clock: Clock,
        append_timeout_ms: int,
        writes_out_soon: Callable[[], bool],
        arm: Callable[[int | None], None],
    ) -> None:
        """``writes_out_soon``: somebody will call ``write_out`` before this thread does anything else. ``arm`` is told
        when there is something to do by itself, at the latest."""
        self._clock = clock
        self._append_timeout_ms = append_timeout_ms
        self._writes_out_soon = writes_out_soon
        self._arm = arm
        self._dirty: dict[Led[M], None] = {}
        """Partitions with something to write."""
        self._resting: dict[Led[M], int] = {}
        """Partitions with something to write that nobody waits for, until when; the first one is due first."""
        self._touched: dict[Shard[M], None] = {}
        """Those that may have something to do at another time than was known."""
        self._news = trio.Event()

    def write_out(self) -> None:
        """Begins to write what operations have left to be written, one batch for each partition; and finds out when
        there is something to do next."""
        if self._dirty:
            dirty, self._dirty = self._dirty, {}
            for led in dirty:
                self._write(led)
        if self._touched:
            touched, self._touched = self._touched, {}
            for shard in touched:
                self._arm(shard.look_ahead())

    def touch(self, shard: Shard[M]) -> None:
        """It may have something to do at another time than was known."""
        self._touched[shard] = None
        if not self._writes_out_soon():
            self._news.set()

    def wake(self, led: Led[M]) -> None:
        """It has something to write."""
        self._dirty[led] = None
        if not self._writes_out_soon():
            self._news.set()

    async def run(self) -> None:
        """Until cancelled. For what was not done in a drain: runs when everybody else of this pass has."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            self.write_out()

    def _write(self, led: Led[M]) -> None:
        shard = led.shard
        batch = shard.next_batch
        if batch is not None and not batch.is_awaited and self._rests(led):
            return
        self._resting.pop(led, None)
        if batch is None:
            return
        batch.sent = True

        def appended(error: LogError | None) -> None:
            if not shard.is_under_way(batch):
                # Resigned since.
                return
            if error is None:
                led.failures = 0
                shard.committed(batch)
            elif batch.transaction is not None and refuses_producer(error.code):
                shard.refused(batch, CoordinatorError(error.code, str(error)))
            else:
                led.fail(error)
                return
            if batch.transaction is not None:
                self.touch(shard)
            if shard.next_batch is not None:
                # Requests that came with the end of this append run first: what they write goes out together.
                self.wake(led)

        _append(led.log, batch, self._append_timeout_ms, appended)

    def _rests(self, led: Led[M]) -> bool:
        """May what it has to write wait for company?"""
        now_ms = self._clock.monotonic_ms()
        due_ms = self._resting.setdefault(led, now_ms + REST_MS)
        self._arm(due_ms)
        return now_ms < due_ms

    def flush(self) -> None:
        """Begins to write what would wait for company: this broker is about to stop."""
        for led in list(self._resting):
            self._resting[led] = 0
            self._write(led)

    @property
    def next_due_ms(self) -> int | None:
        """When something has rested for long enough."""
        return next(iter(self._resting.values()), None)

    def write_rested(self, now_ms: int) -> None:
        """Begins to write what has rested for long enough."""
        for led in [led for led, due_ms in self._resting.items() if due_ms <= now_ms]:
            self._write(led)


def _append(log: CoordinatorLog, batch: Batch, timeout_ms: int, appended: Appended) -> None:
    if batch.transaction is None:
        log.append(batch.records, timeout_ms, appended, openings=batch.openings, replies=batch.sent_replies())
    elif isinstance(batch.transaction.source, Marker):
        log.append_marker(batch.transaction.source, timeout_ms, appended)
    else:
        log.append(batch.records, timeout_ms, appended, batch.transaction.source)
