"""Carries what was decided about transactions to the partitions, and back what came of it.

Prior art: Kafka's ``TransactionMarkerChannelManager``, with a queue per broker and a purgatory. Ours takes what
machines say is due, writes all of it together, and tells them; what is to be tried again, and when, is theirs to say.
Nothing waits for a slow one: what becomes due meanwhile goes out by itself. Markers go out at the end of the drain that
brought their decision's commit, and none has a task: with small transactions that would be half of what they cost.

Invariants: every partition that a machine said is due is told it some time, unless the machine was given up; whoever
writes bounds the time that takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, final

import trio

from ottla.coordinator.log import Marker
from ottla.coordinator.machine import CoordinatorError, Outbox
from ottla.coordinator.runtime import CoordinatorRuntime
from ottla.errors import ErrorCode

if TYPE_CHECKING:
    from ottla.transactions.markers import MarkersDue
    from ottla.transactions.shard import TransactionShard

__all__ = ["BeginMarkers", "MarkerDelivery", "PlacedMarker"]

PARTITIONS_PER_PASS: Final = 500
"""Some 3 ms, and as much when it is known what came of them."""
TELL_AGAIN_S: Final = 0.1
"""After a machine could not take in what came of markers, as when there was no producer id for the next epoch."""


class PlacedMarker(NamedTuple):
    """A marker and the partition that it is for."""

    topic: str
    partition: int
    marker: Marker


Told: TypeAlias = "tuple[MarkersDue, dict[tuple[str, int], ErrorCode]]"
"""Markers, and what came of each."""
BeginMarkers: TypeAlias = Callable[[Sequence[PlacedMarker], Callable[[Sequence[ErrorCode]], None]], None]
"""Begins to write markers; calls once, now or later, with what came of each, once it is committed. UNKNOWN_TOPIC_ID:
there is no such partition any more."""


@final
class MarkerDelivery:
    """Of one broker. ``wake`` when a machine has markers that are due; ``run`` must be running."""

    def __init__(
        self,
        runtime: CoordinatorRuntime[TransactionShard],
        begin: BeginMarkers,
        sends_out_soon: Callable[[], bool] = lambda: False,
    ) -> None:
        """``sends_out_soon``: somebody will call ``send_out`` before this thread does anything else."""
        self._runtime = runtime
        self._begin = begin
        self._sends_out_soon = sends_out_soon
        self._woken: dict[int, None] = {}
        """Partitions of the coordinator's topic whose machines have something for us."""
        self._news = trio.Event()
        self._untold: list[tuple[int, Sequence[Told]]] = []
        self._untold_news = trio.Event()

    def wake(self, partition: int) -> None:
        """The machine of this partition has something for us."""
        self._woken[partition] = None
        if not self._sends_out_soon():
            self._news.set()

    def send_out(self) -> None:
        """Begins to write what is due. Where that is much, the rest goes out when others have had their turn."""
        due: list[tuple[int, Sequence[MarkersDue]]] = []
        room = PARTITIONS_PER_PASS
        while self._woken and room > 0:
            partition = next(iter(self._woken))
            del self._woken[partition]
            machine = self._runtime.machine(partition)
            if machine is None:
                continue
            markers = machine.markers_due(room)
            if markers:
                due.append((partition, markers))
                room -= sum(len(one.partitions) for one in markers)
            if machine.has_markers_due:
                self._woken[partition] = None
        if self._woken:
            self._news.set()
        if due:
            placed = [each for _, markers in due for one in markers for each in _placed(one)]
            self._begin(placed, partial(self._written, due))

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell_again)
            while True:
                await self._news.wait()
                self._news = trio.Event()
                self.send_out()

    def _written(self, due: Sequence[tuple[int, Sequence[MarkersDue]]], codes: Sequence[ErrorCode]) -> None:
        left = iter(codes)
        for partition, markers in due:
            self._tell(partition, [(one, {where: next(left) for where in one.partitions}) for one in markers])

    def _tell(self, partition: int, told: Sequence[Told]) -> None:
        """Where it is led elsewhere, or read again, whoever has it now sends them once more."""
        untold: list[Told] = []
        self._runtime.tell(partition, partial(_take_in, told, untold))
        if untold:
            self._untold.append((partition, untold))
            self._untold_news.set()

    async def _tell_again(self) -> None:
        while True:
            await self._untold_news.wait()
            await trio.sleep(TELL_AGAIN_S)
            self._untold_news = trio.Event()
            untold, self._untold = self._untold, []
            for partition, told in untold:
                self._tell(partition, told)


def _placed(due: MarkersDue) -> list[PlacedMarker]:
    marker = Marker(due.producer_id, due.producer_epoch, due.coordinator_epoch, due.commit, due.transaction_version)
    return [PlacedMarker(topic, partition, marker) for topic, partition in due.partitions]


def _take_in(told: Sequence[Told], untold: list[Told], shard: TransactionShard, outbox: Outbox) -> None:
    """``untold`` gets those that could not be taken in now."""
    for due, results in told:
        try:
            shard.markers_written(due, results, outbox)
        except CoordinatorError:
            untold.append((due, results))
