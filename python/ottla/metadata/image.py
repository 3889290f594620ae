"""What the cluster is at one offset of the metadata log: an immutable value that shares structure with the one before.

Prior art: Kafka's ``org.apache.kafka.image``. Ours differs in that one class of image serves the broker and the
controller: the broker's is at the committed offset, the controller's at the last record it emitted.

Invariants: nothing with one entry per partition of the cluster is ever copied or swapped whole (two levels: bucket of
topics, then the partitions of one topic). A partition is a plain tuple of scalars and tuples of scalars, which the
garbage collector stops tracking. Partition ids of a topic count from 0 without a gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

from ottla.metadata.persistent import PersistentMap
from ottla.records.cluster_metadata import (
    AccessControlEntryRecord,
    DelegationTokenRecord,
    RegisterBrokerRecord,
    RegisterControllerRecord,
    UserScramCredentialRecord,
)

__all__ = ["Configs", "FeatureLevels", "Image", "Partition", "Provenance", "Topic", "Topics"]

Replicas: TypeAlias = tuple[int, ...]
Partition: TypeAlias = tuple[
    Replicas, Replicas, Replicas, Replicas, int, int, int, int, tuple[bytes, ...], Replicas, Replicas
]
"""A partition by the names below: ``partition[LEADER]``."""

REPLICAS: Final = 0
ISR: Final = 1
REMOVING_REPLICAS: Final = 2
ADDING_REPLICAS: Final = 3
LEADER: Final = 4
"""Broker id, or -1."""
LEADER_RECOVERY_STATE: Final = 5
LEADER_EPOCH: Final = 6
PARTITION_EPOCH: Final = 7
DIRECTORIES: Final = 8
"""The directory of each replica, in the order of the replicas."""
ELIGIBLE_LEADER_REPLICAS: Final = 9
LAST_KNOWN_ELR: Final = 10

RECOVERED: Final = 0
RECOVERING: Final = 1

METADATA_VERSION: Final = "metadata.version"
KRAFT_VERSION: Final = "kraft.version"

RESOURCE_TOPIC: Final = 2
RESOURCE_BROKER: Final = 4
RESOURCE_CLIENT_METRICS: Final = 16
RESOURCE_GROUP: Final = 32

INTERNAL_TOPICS: Final = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})
"""``Topic.INTERNAL_TOPICS``"""

ConfigKey: TypeAlias = tuple[int, str]
"""(resource type, resource name) of ConfigRecord; broker "" is the default of all brokers."""
Configs: TypeAlias = PersistentMap[ConfigKey, Mapping[str, str]]
FeatureLevels: TypeAlias = Mapping[str, int]
QuotaEntity: TypeAlias = tuple[tuple[str, str | None], ...]
"""(entity type, entity name or None for the default), sorted by type."""


@final
@dataclass(slots=True, frozen=True)
class Provenance:
    """Where an image comes from: the last record it contains."""

    offset: int = -1
    epoch: int = -1
    timestamp_ms: int = -1


@final
@dataclass(slots=True, frozen=True)
class Topic:
    """A topic and its partitions, by partition id."""

    topic_id: bytes
    name: str
    partitions: tuple[Partition, ...]

    @property
    def internal(self) -> bool:
        """One of the coordinators' own topics?"""
        return self.name in INTERNAL_TOPICS


@final
@dataclass(slots=True, frozen=True)
class Topics:
    """All topics."""

    by_id: PersistentMap[bytes, Topic] = field(default_factory=PersistentMap)
    id_of: PersistentMap[str, bytes] = field(default_factory=PersistentMap)
    similar: PersistentMap[str, frozenset[str]] = field(default_factory=PersistentMap)
    """Names with a dot or an underscore, by the name with dots made underscores: they collide in metrics."""

    def named(self, name: str) -> Topic | None:
        """The topic of that name."""
        topic_id = self.id_of.get(name)
        return None if topic_id is None else self.by_id[topic_id]


@final
@dataclass(slots=True, frozen=True)
class Image:
    """The whole. ``Image()`` is what a cluster is before its first record."""

    provenance: Provenance = Provenance()
    features: FeatureLevels = field(default_factory=dict)
    """Finalized levels above 0, metadata.version among them. kraft.version is kept by the quorum, not here."""
    brokers: Mapping[int, RegisterBrokerRecord] = field(default_factory=dict)
    """Registered brokers, as the record that would register them in their present state (fenced, directories …)."""
    controllers: Mapping[int, RegisterControllerRecord] = field(default_factory=dict)
    topics: Topics = field(default_factory=Topics)
    configs: Configs = field(default_factory=PersistentMap)
    client_quotas: Mapping[QuotaEntity, Mapping[str, float]] = field(default_factory=dict)
    next_producer_id: int = 0
    acls: PersistentMap[bytes, AccessControlEntryRecord] = field(default_factory=PersistentMap)
    scram: Mapping[tuple[int, str], UserScramCredentialRecord] = field(default_factory=dict)
    """By (mechanism, user name)."""
    delegation_tokens: Mapping[str, DelegationTokenRecord] = field(default_factory=dict)

    @property
    def metadata_version(self) -> int:
        """Level of metadata.version; 7, the lowest a 4.x cluster may have, while nothing says otherwise."""
        return self.features.get(METADATA_VERSION, 7)

    def config(self, resource_type: int, name: str) -> Mapping[str, str]:
        """Dynamic configs of a resource; empty when there are none."""
        found: Mapping[str, str] = self.configs.get((resource_type, name), _NO_CONFIG)
        return found

    def alive(self, broker_id: int) -> bool:
        """Is the broker registered and not fenced?"""
        broker = self.brokers.get(broker_id)
        return broker is not None and not broker.fenced


_NO_CONFIG: Final[Mapping[str, str]] = {}
