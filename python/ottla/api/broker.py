"""The services a handler may use: one plain object, made by the composition root, with a seam wherever I/O begins.

Prior art: the two dozen constructor arguments of Kafka's ``KafkaApis``. Ours is one frozen dataclass of narrow
Protocols, so that every handler is tested on parts in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, final

from ottla.config.values import BrokerConfig
from ottla.controller.client import Controller
from ottla.controller.producer_ids import ProducerIdSource
from ottla.errors import ErrorCode
from ottla.groups.coordinator import GroupCoordinator
from ottla.metadata.image import Image
from ottla.transactions.coordinator import TransactionCoordinator
from ottla.transactions.delivery import PlacedMarker
from ottla.wire.k19_create_topics import CreatableTopic, CreatableTopicConfig

__all__ = [
    "Broker",
    "BrokerSettings",
    "ConfigSource",
    "LogDirView",
    "LogDirs",
    "Markers",
    "MetadataCache",
    "ProducerStates",
    "ReplicaLogView",
]


@final
@dataclass(slots=True, frozen=True)
class ReplicaLogView:
    """One partition log in a directory, for DescribeLogDirs."""

    topic: str
    partition: int
    size_bytes: int
    offset_lag: int
    """High watermark minus log end for a current replica, at least 0; -1 when unknown."""
    is_future: bool


@final
@dataclass(slots=True, frozen=True)
class LogDirView:
    """One log directory, for DescribeLogDirs."""

    path: str
    """Absolute."""
    directory_id: bytes
    online: bool
    total_bytes: int
    """Of its volume; -1 when unknown."""
    usable_bytes: int
    logs: Sequence[ReplicaLogView]


class LogDirs(Protocol):
    """The log directories of this broker."""

    async def describe(self) -> Sequence[LogDirView]:
        """All directories with all their logs; the disk is asked in a bounded pool."""


class MetadataCache(Protocol):
    """The newest metadata that this broker has published to its data plane."""

    @property
    def image(self) -> Image:
        """Persistent: may be kept and read as long as one likes."""

    async def wait_served(self, offsets: range) -> None:
        """Returns when the data plane has done all that the metadata records at these offsets ask for: topics created
        there are led and usable on every connection. What other records ask for may be under way still, but ``image``
        has it if they come before; with a range from 0 on nothing is. Raises LogFailedError when the quorum is gone."""


class Markers(Protocol):
    """Ends of transactions, on their way into partitions of this broker."""

    async def write(self, placed: Sequence[PlacedMarker]) -> Sequence[ErrorCode]:
        """What came of each, once it is committed; see ``BeginMarkers``."""


class ProducerStates(Protocol):
    """What the partitions of this broker know of those who produce to them."""

    async def describe_producers(
        self, partitions: Sequence[tuple[bytes, int]]
    ) -> Sequence[int | Sequence[tuple[int, int, int, int, int, int]]]:
        """Of each partition (topic id, index) an error code, or a row for each producer: id, epoch, last sequence (-1
        for none), last timestamp in milliseconds since 1970, coordinator epoch (-1), first offset of the open
        transaction (-1 for none)."""


class ConfigSource(Protocol):
    """Where values come from, as this broker sees it now."""

    @property
    def current(self) -> BrokerConfig:
        """This broker's configuration with its dynamic layers."""

    def topic_overrides(self, name: str) -> Mapping[str, str] | None:
        """What the topic sets itself; None when there is no such topic."""

    def group_overrides(self, name: str) -> Mapping[str, str]:
        """What the group sets itself, empty for one that sets nothing, or that does not exist."""

    def client_metrics_overrides(self, name: str) -> Mapping[str, str]:
        """What the subscription sets, empty for one that does not exist."""


@final
@dataclass(slots=True, frozen=True)
class BrokerSettings:
    """The static settings that handlers read. Those that may change at run time are read from the image."""

    auto_create_topics_enable: bool = True
    delete_topic_enable: bool = True
    num_partitions: int = 1
    default_replication_factor: int = 1
    max_request_partition_size_limit: int = 2000
    """Most partitions in one DescribeTopicPartitions answer."""
    internal_topics: Mapping[str, CreatableTopic] = field(default_factory=dict)
    """How the coordinators' own topics are made when a client asks for them."""
    auto_create_wait_ms: int = 5_000
    """How long a Metadata answer waits for the topic it created to be led."""

    @staticmethod
    def of(config: BrokerConfig) -> BrokerSettings:
        """From the broker's configuration."""
        return BrokerSettings(
            auto_create_topics_enable=config.boolean("auto.create.topics.enable"),
            delete_topic_enable=config.boolean("delete.topic.enable"),
            num_partitions=config.integer("num.partitions"),
            default_replication_factor=config.integer("default.replication.factor"),
            max_request_partition_size_limit=config.integer("max.request.partition.size.limit"),
            internal_topics=internal_topics(config),
        )


def internal_topics(config: BrokerConfig) -> Mapping[str, CreatableTopic]:
    """``DefaultAutoTopicCreationManager``: the topics of the group, transaction and share coordinators."""
    offsets, transactions, share = "offsets.topic", "transaction.state.log", "share.coordinator.state.topic"
    return {
        "__consumer_offsets": _internal(
            "__consumer_offsets",
            config.integer(f"{offsets}.num.partitions"),
            config.integer(f"{offsets}.replication.factor"),
            {
                "cleanup.policy": "compact",
                "segment.bytes": str(config.integer(f"{offsets}.segment.bytes")),
                "compression.type": "producer",
            },
        ),
        "__transaction_state": _internal(
            "__transaction_state",
            config.integer(f"{transactions}.num.partitions"),
            config.integer(f"{transactions}.replication.factor"),
            {
                "unclean.leader.election.enable": "false",
                "compression.type": "uncompressed",
                "cleanup.policy": "compact",
                "min.insync.replicas": str(config.integer(f"{transactions}.min.isr")),
                "segment.bytes": str(config.integer(f"{transactions}.segment.bytes")),
            },
        ),
        "__share_group_state": _internal(
            "__share_group_state",
            config.integer(f"{share}.num.partitions"),
            config.integer(f"{share}.replication.factor"),
            {
                "cleanup.policy": "delete",
                "compression.type": "producer",
                "segment.bytes": str(config.integer(f"{share}.segment.bytes")),
                "min.insync.replicas": str(config.integer(f"{share}.min.isr")),
                "retention.ms": "-1",
            },
        ),
    }


def _internal(name: str, partitions: int, factor: int, configs: Mapping[str, str]) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=factor,
        configs=tuple(CreatableTopicConfig(name=key, value=value) for key, value in configs.items()),
    )


@final
@dataclass(slots=True, frozen=True)
class Broker:
    """What a handler is given beside request and context."""

    node_id: int
    cluster_id: str
    settings: BrokerSettings
    advertised_listeners: frozenset[str]
    """Those with an address of their own to tell; of the others clients are told the address they connected by."""
    metadata: MetadataCache
    controller: Controller
    producer_ids: ProducerIdSource
    log_dirs: LogDirs
    configs: ConfigSource
    groups: GroupCoordinator
    transactions: TransactionCoordinator
    markers: Markers
    producers: ProducerStates
