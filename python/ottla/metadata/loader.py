"""From committed records to images: replays, coalesces what one wake brings, publishes, and knows what the data plane
has done.

Prior art: Kafka's ``MetadataLoader`` and ``MetadataBatchLoader``. Ours publishes one delta for everything that was
committed since the last wake, large batches apart, and lets the data plane work on several at a time; ``wait_served``
tells when one is done, whatever the others are at: the data plane keeps the order of what concerns one topic.

Invariants: images are published in the order of their offsets; records between Begin and End of a metadata transaction
take effect together or not at all; replay gives way to other tasks every few milliseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, final

import trio

from ottla.metadata.delta import Delta, MetadataError
from ottla.metadata.image import Image, Provenance
from ottla.metadata.view import FailedCommand, PendingView
from ottla.raft.client import CommittedBatch, RaftClient
from ottla.raft.log import LogFailedError
from ottla.records.cluster_metadata import AbortTransactionRecord, BeginTransactionRecord, EndTransactionRecord

__all__ = ["Loader", "Publisher", "Transactions", "portions"]

RECORDS_PER_SLICE: Final = 2_000
"""At 1-2 µs a record, some 3 ms of the only thread."""
LARGE_BATCH_RECORDS: Final = 100
"""Beyond this a batch is published alone: the many partitions of a topic take the data plane longer than what else one
wake brings, which must not wait for them."""


class Publisher(Protocol):
    """Somebody who follows the metadata."""

    def publish(self, delta: Delta, image: Image) -> PendingView | None:
        """``image`` is now in force; ``delta`` leads to it from ``delta.before``. Returns at once; what is given back
        is awaited before the records count as served."""


@final
class Transactions:
    """Holds back the records of a metadata transaction until it ends (KIP-868)."""

    def __init__(self) -> None:
        self._held: list[object] | None = None

    @property
    def is_open(self) -> bool:
        """Has a transaction begun that did not end?"""
        return self._held is not None

    def ready(self, records: Iterable[object]) -> list[object]:
        """The records that take effect now that these were read."""
        ready: list[object] = []
        for record in records:
            if isinstance(record, BeginTransactionRecord):
                if self._held is not None:
                    raise MetadataError("a metadata transaction begins inside another")
                self._held = []
            elif isinstance(record, EndTransactionRecord | AbortTransactionRecord):
                if self._held is None:
                    raise MetadataError("a metadata transaction ends that did not begin")
                if isinstance(record, EndTransactionRecord):
                    ready += self._held
                self._held = None
            else:
                (ready if self._held is None else self._held).append(record)
        return ready


@final
@dataclass(slots=True)
class _Publication:
    """The records after one offset up to another."""

    after: int
    last: int
    is_served: bool = False


@final
class Loader:
    """Follows one raft client. ``MetadataCache`` for handlers."""

    def __init__(
        self,
        raft: RaftClient,
        publishers: Sequence[Publisher] = (),
        report: Callable[[FailedCommand], None] = lambda _: None,
    ) -> None:
        """``report`` is told of what the data plane could not do; its clients learn by the storage error."""
        self._raft = raft
        self._report = report
        self._publishers = publishers
        self._image = Image()
        self._start = Delta(self._image)
        self._provenance = Provenance()
        self._transactions = Transactions()
        self._started = False
        self._published_offset = -1
        self._pending: deque[_Publication] = deque()
        """In the order of their offsets, from the first that is not served."""
        self._waiters: list[tuple[range, trio.Event]] = []
        self._failure: LogFailedError | None = None
        self.bytes_since_snapshot = 0

    @property
    def image(self) -> Image:
        """The newest image that was published."""
        return self._image

    @property
    def in_transaction(self) -> bool:
        """Does the log, as far as it was read, end inside a metadata transaction?"""
        return self._transactions.is_open

    def load(self, batch: CommittedBatch) -> None:
        """Take a batch that was in the log at start. Nothing is published before ``loaded`` and the first ``run``."""
        assert not self._started
        self._start.replay_all(self._transactions.ready(batch.records))
        self.bytes_since_snapshot += batch.size_bytes
        self._provenance = Provenance(batch.end_offset - 1, batch.epoch, batch.timestamp_ms)

    def loaded(self) -> Image:
        """The image of all that was in the log. The controller goes on from it; publishers get it with the first news,
        so that a partition is told once that it leads, not once for each step of the start."""
        return self._start.apply(self._provenance)

    async def run(self, publish_from: int) -> None:
        """Publish what is committed, until cancelled; nothing until ``publish_from`` is. Raises LogFailedError,
        MetadataError."""
        self._started = True
        delta: Delta | None = self._start
        async with trio.open_nursery() as nursery:
            try:
                while True:
                    for batches in portions(await self._raft.committed()):
                        delta = delta or Delta(self._image)
                        last = await self._replay(delta, batches)
                        if last.offset >= publish_from:
                            nursery.start_soon(self._follow, *self._publish(delta, delta.apply(last)))
                            delta = None
            except LogFailedError as error:
                self._fail(error)
                raise

    async def _replay(self, delta: Delta, batches: Sequence[CommittedBatch]) -> Provenance:
        since_pause = 0
        for batch in batches:
            ready = self._transactions.ready(batch.records)
            for first in range(0, len(ready), RECORDS_PER_SLICE):
                part = ready[first : first + RECORDS_PER_SLICE]
                delta.replay_all(part)
                since_pause += len(part)
                if since_pause >= RECORDS_PER_SLICE:
                    await trio.lowlevel.checkpoint()
                    since_pause = 0
            self.bytes_since_snapshot += batch.size_bytes
        newest = batches[-1]
        return Provenance(newest.end_offset - 1, newest.epoch, newest.timestamp_ms)

    def _publish(self, delta: Delta, image: Image) -> tuple[_Publication, list[PendingView]]:
        self._image = image
        views = [p for publisher in self._publishers if (p := publisher.publish(delta, image)) is not None]
        publication = _Publication(self._published_offset, image.provenance.offset)
        self._published_offset = image.provenance.offset
        self._pending.append(publication)
        self._wake()
        return publication, views

    async def _follow(self, publication: _Publication, views: Sequence[PendingView]) -> None:
        """Until the data plane has done what one publication asks of it. Several are under way at a time: a topic of
        thousands of partitions must not hold up those that were made after it."""
        for view in views:
            for failed in await view.wait():
                self._report(failed)
        publication.is_served = True
        while self._pending and self._pending[0].is_served:
            self._pending.popleft()
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiters = self._waiters, []
        for offsets, event in waiting:
            if self._is_served(offsets):
                event.set()
            else:
                self._waiters.append((offsets, event))

    def _is_served(self, offsets: range) -> bool:
        """Were all published that came before the end, and those carried out that these records are part of?"""
        if offsets.stop > self._published_offset + 1:
            return False
        return not any(
            not one.is_served and max(one.after + 1, offsets.start) < min(one.last + 1, offsets.stop)
            for one in self._pending
        )

    async def wait_served(self, offsets: range) -> None:
        """See ``MetadataCache``."""
        if not self._is_served(offsets) and self._failure is None:
            event = trio.Event()
            self._waiters.append((offsets, event))
            try:
                await event.wait()
            finally:
                self._waiters = [waiter for waiter in self._waiters if waiter[1] is not event]
        if not self._is_served(offsets):
            assert self._failure is not None
            raise self._failure

    def _fail(self, error: LogFailedError) -> None:
        self._failure = error
        for _, event in self._waiters:
            event.set()


def portions(batches: Iterable[CommittedBatch]) -> Iterator[list[CommittedBatch]]:
    """What is published at a time, in order."""
    portion: list[CommittedBatch] = []
    for batch in batches:
        is_large = len(batch.records) > LARGE_BATCH_RECORDS
        if is_large and portion:
            yield portion
            portion = []
        portion.append(batch)
        if is_large:
            yield portion
            portion = []
    if portion:
        yield portion
