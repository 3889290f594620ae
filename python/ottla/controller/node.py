"""The metadata side of one node: quorum, controller, loader and snapshots, put together in the order in which they may
run.

Prior art: Kafka's ``SharedServer`` and ``BrokerLifecycleManager``. Ours has controller and broker in one process: the
broker registers by a call, its heartbeat is that the process lives, and what is published first already has it unfenced
and leading.

Life: ``start`` (read, stand for election, register, unfence), ``run`` until cancelled, ``shut_down`` while ``run`` goes
on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, final

import trio

from ottla.clock import Clock
from ottla.controller.client import LocalController
from ottla.controller.cluster import ControllerRegistration, Registration
from ottla.controller.producer_ids import ProducerIds
from ottla.controller.topics import TopicTools
from ottla.metadata.features import bootstrap_records, unsupported
from ottla.metadata.loader import Loader, Publisher
from ottla.metadata.snapshot import RECORDS_PER_BATCH, chunks, image_records
from ottla.metadata.view import FailedCommand
from ottla.raft.client import BATCH_BYTES_MAX, RaftClient, Retention
from ottla.raft.log import RaftLog, SnapshotId
from ottla.raft.snapshot import RecordCodec
from ottla.raft.voters import Voter, VoterSet

__all__ = ["MetadataNode", "MetadataSettings", "UnsupportedFeatureError"]


class UnsupportedFeatureError(Exception):
    """The cluster has a feature level that this release does not know."""


@final
@dataclass(slots=True, frozen=True)
class MetadataSettings:
    """Kafka's defaults; -1 and 0 switch off as they do there."""

    snapshot_bytes: int = 20 * 1024 * 1024
    """metadata.log.max.record.bytes.between.snapshots"""
    snapshot_interval_ms: int = 3_600_000
    """metadata.log.max.snapshot.interval.ms; 0: no limit"""
    idle_interval_ms: int = 500
    """metadata.max.idle.interval.ms; 0: no NoOp records"""
    retention: Retention = field(default_factory=Retention)


@final
class MetadataNode:
    """One node that is the whole metadata quorum and its only broker."""

    def __init__(
        self,
        log: RaftLog,
        local: Voter,
        codec: RecordCodec,
        clock: Clock,
        settings: MetadataSettings,
        tools: TopicTools,
        publishers: Sequence[Publisher],
        static_min_isr: str = "1",
        static_voters: VoterSet | None = None,
        report: Callable[[FailedCommand], None] = lambda _: None,
    ) -> None:
        self.raft: Final = RaftClient(log, local, codec, clock, static_voters)
        self.loader: Final = Loader(self.raft, publishers, report)
        self.producer_ids: Final = ProducerIds(self._allocate_producer_ids)
        self._codec = codec
        self._clock = clock
        self._settings = settings
        self._tools = tools
        self._static_min_isr = static_min_isr
        self._controller: LocalController | None = None
        self._broker_id = -1
        self._broker_epoch = -1
        self._served_from = -1
        self._snapshot_due_ms = 0

    @property
    def controller(self) -> LocalController:
        """The active controller; only after ``start``."""
        assert self._controller is not None, "the metadata node is not started"
        return self._controller

    @property
    def broker_epoch(self) -> int:
        """Of this incarnation; goes into the clean-shutdown marker."""
        return self._broker_epoch

    async def start(self, broker: Registration, controller: ControllerRegistration) -> None:
        """Read everything, lead the quorum, register and unfence. Nothing is committed before ``run``.

        Raises UnsupportedFeatureError, UnsupportedQuorumError, QuorumStateError, LogFailedError, MetadataError,
        Refused.
        """
        await self.raft.start(self.loader.load)
        image = self.loader.loaded()
        problem = unsupported({**image.features, "kraft.version": self.raft.kraft_version})
        if problem is not None:
            raise UnsupportedFeatureError(problem)
        self._controller = LocalController(image, self.raft, self._codec, self._tools, self._static_min_isr)
        self._controller.activate(
            self.raft.bootstrap_records or bootstrap_records(), in_transaction=self.loader.in_transaction
        )
        self._controller.register_controller(controller)
        self._broker_id = broker.broker_id
        self._broker_epoch = self._controller.register_broker(broker)
        self._served_from = self._controller.unfence(broker.broker_id)

    async def run(self) -> None:
        """Until cancelled. Raises LogFailedError and MetadataError, after which the node is of no use."""
        self._snapshot_due_ms = self._clock.monotonic_ms() + self._settings.snapshot_interval_ms
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.raft.run)
            nursery.start_soon(self.loader.run, self._served_from)
            nursery.start_soon(self._snapshots)
            nursery.start_soon(self.producer_ids.run)
            if self._settings.idle_interval_ms > 0:
                nursery.start_soon(self.controller.beat, self._settings.idle_interval_ms)

    async def wait_ready(self) -> None:
        """Returns when the data plane leads all that this broker leads."""
        await self.loader.wait_served(range(self._served_from + 1))

    async def shut_down(self) -> None:
        """Lead nothing any more, be fenced, and tell it to the log; ``run`` must still be running."""
        self.controller.begin_shutdown(self._broker_id)
        await self.loader.wait_served(range(self.controller.fence(self._broker_id) + 1))

    async def _allocate_producer_ids(self) -> range:
        return await self.controller.allocate_producer_ids(self._broker_id)

    async def _snapshots(self) -> None:
        """Look once a second; a snapshot is due by bytes or by time, and only when there is something new."""
        while True:
            await trio.sleep(1)
            if self.snapshot_due(self._clock.monotonic_ms()):
                await self.snapshot()

    def snapshot_due(self, now_ms: int) -> bool:
        """Is it time for a snapshot?"""
        news = self.loader.bytes_since_snapshot
        by_time = self._settings.snapshot_interval_ms > 0 and now_ms >= self._snapshot_due_ms
        return news > 0 and (news >= self._settings.snapshot_bytes or by_time)

    async def snapshot(self) -> SnapshotId:
        """Write a snapshot of the newest image, then let old ones go, and the log below them."""
        image = self.loader.image
        self.loader.bytes_since_snapshot = 0
        self._snapshot_due_ms = self._clock.monotonic_ms() + self._settings.snapshot_interval_ms
        provenance = image.provenance
        snapshot_id = SnapshotId(provenance.offset + 1, provenance.epoch)
        values = (self._codec.encode(record, image.metadata_version) for record in image_records(image))
        batches = chunks(values, RECORDS_PER_BATCH, BATCH_BYTES_MAX // 2)
        await self.raft.write_snapshot(snapshot_id, provenance.timestamp_ms, batches)
        await self.raft.clean(self._settings.retention)
        return snapshot_id
