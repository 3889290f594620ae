"""Carries what was decided about transactions to the partitions, and back what came of it.

Prior art: Kafka's ``TransactionMarkerChannelManager``, with a queue per broker and a purgatory. Ours takes what
machines say is due, writes all of it together, and tells them; what is to be tried again, and when, is theirs to say.
Nothing waits for a slow one: what becomes due meanwhile goes out by itself.

Invariants: every partition that a machine said is due is told it some time, unless the machine was given up; whoever
writes bounds the time that takes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, final

import trio

from ottla.coordinator.log import Marker
from ottla.coordinator.machine import CoordinatorError, Outbox, Reply
from ottla.coordinator.runtime import CoordinatorRuntime
from ottla.errors import ErrorCode

if TYPE_CHECKING:
    from ottla.transactions.markers import MarkersDue
    from ottla.transactions.shard import TransactionShard

__all__ = ["MarkerDelivery", "PlacedMarker", "WriteMarkers"]

TELL_AGAIN_S: Final = 0.1
"""After a machine could not take in what came of markers, as when there was no producer id for the next epoch."""


class PlacedMarker(NamedTuple):
    """A marker and the partition that it is for."""

    topic: str
    partition: int
    marker: Marker


Told: TypeAlias = "tuple[MarkersDue, dict[tuple[str, int], ErrorCode]]"
"""Markers, and what came of each."""
WriteMarkers: TypeAlias = Callable[[Sequence[PlacedMarker]], Awaitable[Sequence[ErrorCode]]]
"""Writes markers; what came of each, once it is committed. UNKNOWN_TOPIC_ID: there is no such partition any more."""


@final
class MarkerDelivery:
    """Of one broker. ``wake`` when a machine has markers that are due; ``run`` must be running."""

    def __init__(self, runtime: CoordinatorRuntime[TransactionShard], write: WriteMarkers) -> None:
        self._runtime = runtime
        self._write = write
        self._news = trio.Event()

    def wake(self) -> None:
        """A machine has something for us."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._news.wait()
                self._news = trio.Event()
                due = [(partition, machine.markers_due()) for partition, machine in self._runtime.machines()]
                if any(markers for _, markers in due):
                    nursery.start_soon(self._deliver, [each for each in due if each[1]])

    async def _deliver(self, due: Sequence[tuple[int, Sequence[MarkersDue]]]) -> None:
        placed = [each for _, markers in due for one in markers for each in _placed(one)]
        codes = iter(await self._write(placed))
        for partition, markers in due:
            told = [(one, {where: next(codes) for where in one.partitions}) for one in markers]
            await self._tell(partition, told)

    async def _tell(self, partition: int, told: Sequence[Told]) -> None:
        try:
            while told:
                told = await self._runtime.ask(partition, partial(_tell, told), atomic=False)
                if told:
                    await trio.sleep(TELL_AGAIN_S)
        except CoordinatorError:
            # It is led elsewhere, or read again: whoever has it now sends them once more.
            return


def _placed(due: MarkersDue) -> list[PlacedMarker]:
    marker = Marker(due.producer_id, due.producer_epoch, due.coordinator_epoch, due.commit, due.transaction_version)
    return [PlacedMarker(topic, partition, marker) for topic, partition in due.partitions]


def _tell(told: Sequence[Told], shard: TransactionShard, outbox: Outbox, reply: Reply[Sequence[Told]]) -> None:
    """Answers with those that could not be taken in now."""
    left: list[Told] = []
    for due, results in told:
        try:
            shard.markers_written(due, results, outbox)
        except CoordinatorError:
            left.append((due, results))
    outbox.answer(reply, left)
