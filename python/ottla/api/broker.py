"""The services a handler may use: one plain object, made by the composition root, with a seam wherever I/O begins.

Prior art: the two dozen constructor arguments of Kafka's ``KafkaApis``. Ours is one frozen dataclass of narrow Protocols, so
that every handler is tested on parts in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, final

if TYPE_CHECKING:
    from ottla.clock import Clock
    from ottla.controller.client import Controller
    from ottla.controller.producer_ids import ProducerIdSource
    from ottla.metadata.image import Image

__all__ = ["Broker", "BrokerSettings", "LogDirs", "LogDirView", "MetadataCache", "ReplicaLogView"]


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

    async def wait_served(self, offset: int) -> None:
        """Returns when the data plane has done all that the metadata records up to and including ``offset`` ask for:
        topics created there are led and usable on every connection. Raises LogFailedError when the quorum is gone."""


@final
@dataclass(slots=True, frozen=True)
class BrokerSettings:
    """The few settings that handlers read; those that may change at run time are read from the image."""

    auto_create_topics_enable: bool = True
    num_partitions: int = 1
    default_replication_factor: int = 1
    max_request_partition_size_limit: int = 2000
    """Most partitions in one DescribeTopicPartitions answer."""
    auto_create_wait_ms: int = 5_000
    """How long a Metadata answer waits for the topic it created to be led."""


@final
@dataclass(slots=True, frozen=True)
class Broker:
    """What a handler is given beside request and context."""

    node_id: int
    cluster_id: str
    clock: Clock
    settings: BrokerSettings
    metadata: MetadataCache
    controller: Controller
    producer_ids: ProducerIdSource
    log_dirs: LogDirs
