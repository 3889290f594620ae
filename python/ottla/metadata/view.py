"""What the data plane must know, as plain data: the delta that goes down after each change of the metadata image.

Prior art: Kafka's ``MetadataDelta`` handed to ``BrokerMetadataPublisher``, which calls the replica manager. Ours is
data, so that it can cross into Rust, be replayed by a test, and be compared with a view rebuilt from the whole image.

A ``ViewDelta`` is one message: the routing part is installed first, then its commands run, both before any later reply.
Partitions are plain tuples, because a topic of 5,000 partitions makes 5,000 of them. Topics are keyed by id: a deleted
and re-created name is a removal and another topic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, final

from ottla.config.topic import TopicSettings

__all__ = [
    "BrokerView",
    "DataPlane",
    "Endpoint",
    "FailedCommand",
    "LeadPartition",
    "PartitionView",
    "PendingView",
    "StopPartition",
    "TopicView",
    "ViewDelta",
]

PartitionView: TypeAlias = tuple[int, int, int, int, tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""(partition, leader or -1, leader epoch, partition epoch, replicas, isr, offline replicas)"""


@final
@dataclass(slots=True, frozen=True)
class Endpoint:
    """Where clients of one listener reach a broker. ``host`` is empty when the address the client connected by is
    advertised."""

    listener: str
    host: str
    port: int
    security_protocol: int
    """0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL"""


@final
@dataclass(slots=True, frozen=True)
class BrokerView:
    """A broker that Metadata lists: alive, not fenced."""

    broker_id: int
    broker_epoch: int
    rack: str | None
    endpoints: tuple[Endpoint, ...]


@final
@dataclass(slots=True, frozen=True)
class TopicView:
    """A topic that is new or changed."""

    topic_id: bytes
    name: str
    internal: bool
    partition_count: int
    """Of the whole topic, after this delta."""
    partitions: Sequence[PartitionView]
    """New and changed ones, ascending; all of them when the topic is new."""
    settings: TopicSettings | None
    """What its logs are to do, defaults filled in, when that changed or the topic is new; None: as before."""


@final
@dataclass(slots=True, frozen=True)
class LeadPartition:
    """Lead this partition under this epoch; create its log if it is not there. Also sent when ISR or epochs change
    under us."""

    topic_id: bytes
    topic: str
    partition: int
    leader_epoch: int
    partition_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    directory_id: bytes
    """The log directory that metadata assigns; unassigned, lost or migrating (see ids): the data plane chooses."""


@final
@dataclass(slots=True, frozen=True)
class StopPartition:
    """No longer ours. With ``delete`` the log goes: role Stopped, waiters failed, directory renamed, unlinked later."""

    topic_id: bytes
    topic: str
    partition: int
    delete: bool


@final
@dataclass(slots=True, frozen=True)
class ViewDelta:
    """Everything that one wake of the metadata loader changed for the data plane."""

    offset: int
    """One past the last metadata record that this view includes: the version of the view."""
    topics: Sequence[TopicView] = ()
    removed_topic_ids: Sequence[bytes] = ()
    brokers: Sequence[BrokerView] = ()
    """New and changed ones."""
    removed_broker_ids: Sequence[int] = ()
    features: Mapping[str, int] | None = None
    """Finalized feature levels above 0 with kraft.version, for ApiVersions, when they changed."""
    lead: Sequence[LeadPartition] = ()
    stop: Sequence[StopPartition] = ()
    """Applied before ``lead``."""

    def is_empty(self) -> bool:
        """Is there nothing for the data plane to do?"""
        return not (
            self.topics
            or self.removed_topic_ids
            or self.brokers
            or self.removed_broker_ids
            or self.lead
            or self.stop
            or self.features is not None
        )


@final
@dataclass(slots=True, frozen=True)
class FailedCommand:
    """A partition that could not be led or stopped; the data plane answers its clients with the storage error."""

    topic: str
    partition: int
    message: str


class PendingView(Protocol):
    """A delta under way."""

    async def wait(self) -> Sequence[FailedCommand]:
        """Returns when the routing is installed and every command is done; the ones that failed."""


class DataPlane(Protocol):
    """What the metadata publisher needs of the data plane."""

    def publish(self, delta: ViewDelta) -> PendingView:
        """Send the delta down, in order with everything else; returns at once. Replies sent later do not overtake
        it."""
