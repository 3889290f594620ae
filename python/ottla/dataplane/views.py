"""From what the metadata says to the View that requests are routed by, and to the commands that follow from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, final

from ottla import _core
from ottla.dataplane.plane import CommandFailedError, Plane, Result
from ottla.metadata.view import BrokerView, FailedCommand, PendingView, ViewDelta

if TYPE_CHECKING:
    from ottla.config.topic import TopicSettings

__all__ = ["Led", "ViewPublisher", "engine_settings"]


class Led(NamedTuple):
    """How the opening of one partition went."""

    topic_id: bytes
    partition: int
    recovered_bytes: int
    """Read again since they were not known to be flushed."""
    error: str | None


@final
class ViewPublisher:
    """Installs views and carries out their commands (``DataPlane`` of ``ottla.metadata.view``)."""

    def __init__(
        self,
        plane: Plane,
        cluster_id: str,
        node_id: int,
        features: Mapping[str, tuple[int, int]],
        auto_create_topics: bool,
        producer_id_expiration_ms: int,
    ) -> None:
        """``features``: what this release supports, name to smallest and largest level."""
        self._plane = plane
        self._cluster_id = cluster_id
        self._node_id = node_id
        self._supported = features
        self._auto_create_topics = auto_create_topics
        self._producer_id_expiration_ms = producer_id_expiration_ms
        self._finalized: Mapping[str, int] = {}
        self._brokers: dict[int, BrokerView] = {}
        self._settings: dict[bytes, _core.TopicSettings] = {}
        self.recovered_bytes = 0
        """Bytes that were read again at start, of all partitions."""
        self.led_partitions = 0
        """Partitions opened so far."""

    def publish(self, delta: ViewDelta) -> PendingView:
        """Sends the delta down, in order with everything else; returns at once."""
        for broker_id in delta.removed_broker_ids:
            self._brokers.pop(broker_id, None)
        self._brokers.update((broker.broker_id, broker) for broker in delta.brokers)
        if delta.features is not None:
            self._finalized = delta.features
        known: list[tuple[bytes, str]] = []
        for topic in delta.topics:
            if topic.settings is not None:
                if topic.topic_id in self._settings:
                    known.append((topic.topic_id, topic.name))
                self._settings[topic.topic_id] = engine_settings(topic.settings, self._producer_id_expiration_ms)
        self._plane.install(self._cluster(delta.offset), delta)
        waits = [
            *self._plane.begin_stop(delta.stop),
            *(self._plane.begin_configure(topic_id, name, self._settings[topic_id]) for topic_id, name in known),
        ]
        lead = self._plane.begin_lead(delta.lead, self._settings) if delta.lead else None
        for topic_id in delta.removed_topic_ids:
            self._settings.pop(topic_id, None)
        return _PendingView(self, waits, lead, {row.topic_id: row.topic for row in delta.lead})

    def _cluster(self, offset: int) -> _core.Cluster:
        brokers = [
            (broker.broker_id, broker.rack, [(end.listener, end.host, end.port) for end in broker.endpoints])
            for broker in sorted(self._brokers.values(), key=lambda broker: broker.broker_id)
        ]
        features = [
            (name, low, high, self._finalized.get(name, 0)) for name, (low, high) in sorted(self._supported.items())
        ]
        # Kafka names any live broker as controller to clients; admin requests are forwarded from wherever they arrive.
        controller = self._node_id if self._node_id in self._brokers else min(self._brokers, default=-1)
        return _core.Cluster(
            cluster_id=self._cluster_id,
            controller_id=controller,
            brokers=brokers,
            features=features,
            metadata_offset=offset - 1,
            auto_create_topics=self._auto_create_topics,
        )


@final
@dataclass(slots=True)
class _PendingView:
    """The commands of one delta under way (``PendingView``)."""

    publisher: ViewPublisher
    waits: Sequence[Callable[[], Awaitable[Result]]]
    lead: Callable[[], Awaitable[Result]] | None
    names: Mapping[bytes, str]

    async def wait(self) -> Sequence[FailedCommand]:
        failed: list[FailedCommand] = []
        for wait in self.waits:
            try:
                await wait()
            except CommandFailedError as error:
                failed.append(FailedCommand("", -1, str(error)))
        if self.lead is not None:
            outcomes = [Led(*outcome) for outcome in await self.lead()]
            self.publisher.led_partitions += sum(led.error is None for led in outcomes)
            self.publisher.recovered_bytes += sum(led.recovered_bytes for led in outcomes)
            failed += [
                FailedCommand(self.names[led.topic_id], led.partition, led.error)
                for led in outcomes
                if led.error is not None
            ]
        return failed


def engine_settings(settings: TopicSettings, producer_id_expiration_ms: int) -> _core.TopicSettings:
    """The settings of a topic in the form that logs share."""
    return _core.TopicSettings(
        max_message_bytes=settings.max_message_bytes,
        segment_bytes=settings.segment_bytes,
        segment_ms=settings.segment_ms,
        segment_jitter_ms=settings.segment_jitter_ms,
        index_bytes=settings.index_bytes,
        index_interval_bytes=settings.index_interval_bytes,
        compression_type=settings.compression_type,
        compression_level=settings.compression_level,
        log_append_time=settings.log_append_time,
        timestamp_before_max_ms=settings.timestamp_before_max_ms,
        timestamp_after_max_ms=settings.timestamp_after_max_ms,
        compacted=settings.cleanup_compact,
        delete_policy=settings.cleanup_delete,
        max_decompressed_message_bytes=settings.max_decompressed_message_bytes,
        min_insync_replicas=settings.min_insync_replicas,
        retention_ms=settings.retention_ms,
        retention_bytes=settings.retention_bytes,
        flush_messages=settings.flush_messages,
        flush_ms=settings.flush_ms,
        file_delete_delay_ms=settings.file_delete_delay_ms,
        producer_id_expiration_ms=producer_id_expiration_ms,
    )
