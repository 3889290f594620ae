"""The controller at work: takes requests, decides on its own newest image, writes, and answers when that is committed.

Prior art: Kafka's ``QuorumController``: one thread of events, replay at the moment of emit, purgatory until committed.
Ours needs no thread, since a decision never waits: between reading the image and emitting its records nothing else can
run.

Invariants: ``_emit`` is the only place that changes the image, and it does so by replaying the records as everybody
else will; records are encoded and measured before that; an answer waits for everything it could have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol, TypeVar, final

import trio

from ottla.controller import cluster, topics
from ottla.controller.alterations import Alteration, alter_configs
from ottla.controller.decision import RECORDS_PER_USER_OPERATION_MAX, ApiError, Decision
from ottla.controller.producer_ids import allocate
from ottla.metadata.delta import Delta
from ottla.metadata.image import RESOURCE_BROKER, Image, Provenance
from ottla.metadata.loader import Transactions
from ottla.raft.snapshot import RecordCodec
from ottla.records import cluster_metadata as r
from ottla.wire.k19_create_topics import CreatableTopic, CreatableTopicResult
from ottla.wire.k37_create_partitions import CreatePartitionsTopic, CreatePartitionsTopicResult

__all__ = ["Controller", "LocalController", "MetadataWriter"]

T = TypeVar("T")

BOOTSTRAP_TRANSACTION: Final = "Bootstrap records"
TRANSACTIONS_FROM: Final = 13


class MetadataWriter(Protocol):
    """What the controller needs of the quorum."""

    @property
    def end_offset(self) -> int:
        """Where the next record goes."""

    @property
    def high_watermark(self) -> int:
        """Everything below is committed."""

    def append(self, records: Sequence[object], values: Sequence[bytes]) -> int:
        """See ``RaftClient.append``."""

    async def wait_committed(self, offset: int) -> None:
        """See ``RaftClient.wait_committed``."""


class Controller(Protocol):
    """What handlers ask of the active controller. Every method returns when its records are committed, with the answer
    and the offset to wait for; raises Refused when the request as a whole is refused, LogFailedError when the quorum is
    gone."""

    async def create_topics(
        self, wanted: Sequence[CreatableTopic], describable: frozenset[str], *, validate_only: bool
    ) -> tuple[tuple[CreatableTopicResult, ...], range]:
        """See ``topics.create_topics``."""

    async def create_partitions(
        self, wanted: Sequence[CreatePartitionsTopic], *, validate_only: bool
    ) -> tuple[tuple[CreatePartitionsTopicResult, ...], range]:
        """See ``topics.create_partitions``."""

    async def alter_configs(
        self, wanted: Sequence[Alteration], *, validate_only: bool
    ) -> tuple[tuple[ApiError | None, ...], range]:
        """See ``alterations.alter_configs``."""

    async def delete_topics(self, topic_ids: Sequence[bytes]) -> tuple[dict[bytes, ApiError], range]:
        """See ``topics.delete_topics``."""


@final
class LocalController:
    """The active controller, in this process. ``Controller`` for handlers."""

    def __init__(
        self,
        image: Image,
        quorum: MetadataWriter,
        codec: RecordCodec,
        tools: topics.TopicTools,
        static_min_isr: str = "1",
    ) -> None:
        """``image`` is that of everything in the log."""
        self._image = image
        self._quorum = quorum
        self._codec = codec
        self._tools = tools
        self._static_min_isr = static_min_isr
        self._last_offset = quorum.end_offset - 1

    @property
    def image(self) -> Image:
        """The cluster with everything that was emitted, committed or not."""
        return self._image

    # what handlers ask

    async def create_topics(
        self, wanted: Sequence[CreatableTopic], describable: frozenset[str], *, validate_only: bool
    ) -> tuple[tuple[CreatableTopicResult, ...], range]:
        return await self._write(
            lambda: topics.create_topics(self._image, wanted, describable, self._tools, validate_only=validate_only)
        )

    async def create_partitions(
        self, wanted: Sequence[CreatePartitionsTopic], *, validate_only: bool
    ) -> tuple[tuple[CreatePartitionsTopicResult, ...], range]:
        return await self._write(
            lambda: topics.create_partitions(self._image, wanted, self._tools, validate_only=validate_only)
        )

    async def alter_configs(
        self, wanted: Sequence[Alteration], *, validate_only: bool
    ) -> tuple[tuple[ApiError | None, ...], range]:
        return await self._write(
            lambda: alter_configs(self._image, wanted, self._tools.configs, validate_only=validate_only)
        )

    async def delete_topics(self, topic_ids: Sequence[bytes]) -> tuple[dict[bytes, ApiError], range]:
        return await self._write(lambda: topics.delete_topics(self._image, topic_ids))

    async def allocate_producer_ids(self, broker_id: int) -> range:
        """The next block of producer ids, for a broker in its present epoch."""
        broker = self._image.brokers.get(broker_id)
        epoch = -1 if broker is None else broker.broker_epoch
        block, _ = await self._write(lambda: allocate(self._image, broker_id, epoch))
        return block

    # the life of the cluster; these emit and return without waiting

    def activate(self, bootstrap: Sequence[object], *, in_transaction: bool) -> None:
        """First of all: an empty log gets the bootstrap records, one that ends inside a transaction gets its end."""
        if in_transaction:
            abort = r.AbortTransactionRecord(reason="the controller that began it is gone")
            self._append([abort], self._image.metadata_version)
        if self._image.features or self._image.provenance.offset >= 0:
            return
        records = [*bootstrap]
        levels = {rec.name: rec.feature_level for rec in records if isinstance(rec, r.FeatureLevelRecord)}
        if levels.get("eligible.leader.replicas.version", 0) >= 1:
            # With ELR, min.insync.replicas is a matter of the whole cluster and lives in its metadata (KIP-966).
            records.append(
                r.ConfigRecord(
                    resource_type=RESOURCE_BROKER,
                    resource_name="",
                    name="min.insync.replicas",
                    value=self._static_min_isr,
                )
            )
        level = levels.get("metadata.version", self._image.metadata_version)
        if level >= TRANSACTIONS_FROM:
            begin = r.BeginTransactionRecord(name=BOOTSTRAP_TRANSACTION)
            records = [begin, *records, r.EndTransactionRecord()]
        self._emit_batch(records, metadata_version=level)

    def register_controller(self, registration: cluster.ControllerRegistration) -> None:
        """See ``cluster.register_controller``."""
        self._emit(cluster.register_controller(self._image, registration))

    def register_broker(self, registration: cluster.Registration) -> int:
        """See ``cluster.register_broker``; the broker's epoch."""
        decision = cluster.register_broker(self._image, registration, self._quorum.end_offset, self._static_min_isr)
        self._emit(decision)
        return decision.answer

    def unfence(self, broker_id: int) -> int:
        """See ``cluster.unfence``; the offset of its last record."""
        self._emit(cluster.unfence(self._image, broker_id, self._static_min_isr))
        return self._last_offset

    def begin_shutdown(self, broker_id: int) -> int:
        """See ``cluster.begin_shutdown``; the offset of its last record."""
        self._emit(cluster.begin_shutdown(self._image, broker_id, self._static_min_isr))
        return self._last_offset

    def fence(self, broker_id: int) -> int:
        """See ``cluster.fence``; the offset of its last record."""
        self._emit(cluster.fence(self._image, broker_id, self._static_min_isr))
        return self._last_offset

    async def beat(self, interval_ms: int) -> None:
        """Write a NoOp record every ``interval_ms``, by which observers know that they are current; until cancelled.
        Not while earlier records wait for the disk: they would only pile up."""
        while True:
            await trio.sleep(interval_ms / 1000)
            if self._quorum.high_watermark == self._quorum.end_offset:
                self._emit_batch([r.NoOpRecord()])

    # writing

    async def _write(self, decide: Callable[[], Decision[T]]) -> tuple[T, range]:
        """The answer once it is committed with all that it was decided by, and the offsets of its records: none, at the
        end of the log, when there are none."""
        decision = decide()
        first = self._last_offset + 1
        self._emit(decision)
        offsets = range(first, self._last_offset + 1)
        await self._quorum.wait_committed(offsets.stop - 1)
        return decision.answer, offsets

    def _emit(self, decision: Decision[T]) -> None:
        if decision.atomic:
            if decision.records:
                self._emit_batch(decision.records)
        else:
            for batch in _split(decision.records):
                self._emit_batch(batch)

    def _emit_batch(self, records: Sequence[object], metadata_version: int | None = None) -> None:
        """Records are encoded and measured before anything changes: what is refused has changed nothing."""
        delta = Delta(self._image)
        delta.replay_all(Transactions().ready(records) if isinstance(records[0], r.BeginTransactionRecord) else records)
        self._append(records, self._image.metadata_version if metadata_version is None else metadata_version)
        self._image = delta.apply(Provenance(self._last_offset))

    def _append(self, records: Sequence[object], version: int) -> None:
        encode = self._codec.encode
        values = [encode(record, version) for record in records]
        base_offset = self._quorum.append(records, values)
        self._last_offset = base_offset + len(values) - 1


def _split(records: Sequence[object]) -> Iterator[Sequence[object]]:
    for first in range(0, len(records), RECORDS_PER_USER_OPERATION_MAX):
        yield records[first : first + RECORDS_PER_USER_OPERATION_MAX]
