"""``__cluster_metadata``: the records that are the cluster (KIP-500, KIP-631).

The key is null; the value is a frame version (1), the id of the record type and its version, each an unsigned varint,
and the record. All are flexible. Ids 6, 13 and 16 are gone. Which version is written depends on metadata.version.
"""

from __future__ import annotations

from ottla.wire.schema import (
    Array,
    Bool,
    Bytes,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    Name,
    String,
    Uint16,
    Uuid,
    message,
    struct,
)


@struct
class BrokerEndpoint:
    name: str = String("0+")
    host: str = String("0+")
    port: int = Uint16("0+")
    security_protocol: int = Int16("0+")


@struct
class BrokerFeature:
    name: str = String("0+")
    min_supported_version: int = Int16("0+")
    max_supported_version: int = Int16("0+")


@message(api_key=0, valid="0-4", flexible="0+", kind="metadata")
class RegisterBrokerRecord:
    """A broker with its listeners, features and log directories."""

    broker_id: int = Int32("0+")
    is_migrating_zk_broker: bool = Bool("2+")
    incarnation_id: bytes = Uuid("0+")
    broker_epoch: int = Int64("0+")
    end_points: tuple[BrokerEndpoint, ...] = Array(BrokerEndpoint, "0+")
    features: tuple[BrokerFeature, ...] = Array(BrokerFeature, "0+")
    rack: str | None = String("0+", nullable="0+")
    fenced: bool = Bool("0+", default=True)
    in_controlled_shutdown: bool = Bool("1+")
    log_dirs: tuple[bytes, ...] = Array(Uuid(), "3+", tag=0, tagged="3+")
    cordoned_log_dirs: tuple[bytes, ...] | None = Array(Uuid(), "4+", default=None, nullable="4+", tag=1, tagged="4+")


@message(api_key=1, valid="0", flexible="0+", kind="metadata")
class UnregisterBrokerRecord:
    """A broker is gone for good."""

    broker_id: int = Int32("0+")
    broker_epoch: int = Int64("0+")


@message(api_key=2, valid="0", flexible="0+", kind="metadata")
class TopicRecord:
    """A topic is created."""

    name: str = Name("0+")
    topic_id: bytes = Uuid("0+")


@message(api_key=3, valid="0-2", flexible="0+", kind="metadata")
class PartitionRecord:
    """A partition as it is at first, or in a snapshot."""

    partition_id: int = Int32("0+", default=-1)
    topic_id: bytes = Uuid("0+")
    replicas: tuple[int, ...] = Array(Int32(), "0+")
    isr: tuple[int, ...] = Array(Int32(), "0+")
    removing_replicas: tuple[int, ...] = Array(Int32(), "0+")
    adding_replicas: tuple[int, ...] = Array(Int32(), "0+")
    leader: int = Int32("0+", default=-1)
    leader_recovery_state: int = Int8("0+", tag=0, tagged="0+")
    leader_epoch: int = Int32("0+", default=-1)
    partition_epoch: int = Int32("0+", default=-1)
    directories: tuple[bytes, ...] = Array(Uuid(), "1+")
    eligible_leader_replicas: tuple[int, ...] | None = Array(
        Int32(), "2+", default=None, nullable="2+", tag=1, tagged="2+"
    )
    last_known_elr: tuple[int, ...] | None = Array(Int32(), "2+", default=None, nullable="2+", tag=2, tagged="2+")


@message(api_key=4, valid="0", flexible="0+", kind="metadata")
class ConfigRecord:
    """One configuration of a resource is set, or removed when the value is null."""

    resource_type: int = Int8("0+")
    resource_name: str = String("0+")
    name: str = String("0+")
    value: str | None = String("0+", nullable="0+")


@message(api_key=5, valid="0-2", flexible="0+", kind="metadata")
class PartitionChangeRecord:
    """A partition changes: a field that is null, or has its «no change» value, stays."""

    partition_id: int = Int32("0+", default=-1)
    topic_id: bytes = Uuid("0+")
    isr: tuple[int, ...] | None = Array(Int32(), "0+", default=None, nullable="0+", tag=0, tagged="0+")
    leader: int = Int32("0+", default=-2, tag=1, tagged="0+")
    replicas: tuple[int, ...] | None = Array(Int32(), "0+", default=None, nullable="0+", tag=2, tagged="0+")
    removing_replicas: tuple[int, ...] | None = Array(Int32(), "0+", default=None, nullable="0+", tag=3, tagged="0+")
    adding_replicas: tuple[int, ...] | None = Array(Int32(), "0+", default=None, nullable="0+", tag=4, tagged="0+")
    leader_recovery_state: int = Int8("0+", default=-1, tag=5, tagged="0+")
    directories: tuple[bytes, ...] | None = Array(Uuid(), "1+", default=None, nullable="1+", tag=8, tagged="1+")
    eligible_leader_replicas: tuple[int, ...] | None = Array(
        Int32(), "2+", default=None, nullable="2+", tag=6, tagged="2+"
    )
    last_known_elr: tuple[int, ...] | None = Array(Int32(), "2+", default=None, nullable="2+", tag=7, tagged="2+")


@message(api_key=7, valid="0", flexible="0+", kind="metadata")
class FenceBrokerRecord:
    """A broker is fenced (older way; see BrokerRegistrationChangeRecord)."""

    id: int = Int32("0+")
    epoch: int = Int64("0+")


@message(api_key=8, valid="0", flexible="0+", kind="metadata")
class UnfenceBrokerRecord:
    """A broker is unfenced (older way; see BrokerRegistrationChangeRecord)."""

    id: int = Int32("0+")
    epoch: int = Int64("0+")


@message(api_key=9, valid="0", flexible="0+", kind="metadata")
class RemoveTopicRecord:
    """A topic is deleted."""

    topic_id: bytes = Uuid("0+")


@message(api_key=10, valid="0", flexible="0+", kind="metadata")
class DelegationTokenRecord:
    """A delegation token."""

    owner: str = String("0+")
    requester: str = String("0+")
    renewers: tuple[str, ...] = Array(String(), "0+")
    issue_timestamp: int = Int64("0+")
    max_timestamp: int = Int64("0+")
    expiration_timestamp: int = Int64("0+")
    token_id: str = String("0+")


@message(api_key=11, valid="0", flexible="0+", kind="metadata")
class UserScramCredentialRecord:
    """A SCRAM credential."""

    name: str = String("0+")
    mechanism: int = Int8("0+")
    salt: bytes = Bytes("0+")
    stored_key: bytes = Bytes("0+")
    server_key: bytes = Bytes("0+")
    iterations: int = Int32("0+")


@message(api_key=12, valid="0", flexible="0+", kind="metadata")
class FeatureLevelRecord:
    """A feature is finalised at a level; 0 removes it."""

    name: str = String("0+")
    feature_level: int = Int16("0+")


@struct
class EntityData:
    entity_type: str = String("0+")
    entity_name: str | None = String("0+", nullable="0+")


@message(api_key=14, valid="0", flexible="0+", kind="metadata")
class ClientQuotaRecord:
    """A quota is set, or removed."""

    entity: tuple[EntityData, ...] = Array(EntityData, "0+")
    key: str = String("0+")
    value: float = Float64("0+")
    remove: bool = Bool("0+")


@message(api_key=15, valid="0", flexible="0+", kind="metadata")
class ProducerIdsRecord:
    """Producer ids below the next one are given away."""

    broker_id: int = Int32("0+")
    broker_epoch: int = Int64("0+", default=-1)
    next_producer_id: int = Int64("0+")


@message(api_key=17, valid="0-3", flexible="0+", kind="metadata")
class BrokerRegistrationChangeRecord:
    """A broker's registration changes: fenced, in shutdown, log directories."""

    broker_id: int = Int32("0+")
    broker_epoch: int = Int64("0+")
    fenced: int = Int8("0+", tag=0, tagged="0+")
    in_controlled_shutdown: int = Int8("1+", tag=1, tagged="1+")
    log_dirs: tuple[bytes, ...] = Array(Uuid(), "2+", tag=2, tagged="2+")
    cordoned_log_dirs: tuple[bytes, ...] | None = Array(Uuid(), "3+", default=None, nullable="3+", tag=3, tagged="3+")


@message(api_key=18, valid="0", flexible="0+", kind="metadata")
class AccessControlEntryRecord:
    """An ACL."""

    id: bytes = Uuid("0+")
    resource_type: int = Int8("0+")
    resource_name: str = String("0+")
    pattern_type: int = Int8("0+")
    principal: str = String("0+")
    host: str = String("0+")
    operation: int = Int8("0+")
    permission_type: int = Int8("0+")


@message(api_key=19, valid="0", flexible="0+", kind="metadata")
class RemoveAccessControlEntryRecord:
    """An ACL is deleted."""

    id: bytes = Uuid("0+")


@message(api_key=20, valid="0", flexible="0+", kind="metadata")
class NoOpRecord:
    """Moves the high watermark, nothing else."""


@message(api_key=21, valid="0", flexible="0+", kind="metadata")
class ZkMigrationStateRecord:
    """How far a migration from ZooKeeper is; 0 is never."""

    zk_migration_state: int = Int8("0+")


@message(api_key=22, valid="0", flexible="0+", kind="metadata")
class RemoveUserScramCredentialRecord:
    """A SCRAM credential is deleted."""

    name: str = String("0+")
    mechanism: int = Int8("0+")


@message(api_key=23, valid="0", flexible="0+", kind="metadata")
class BeginTransactionRecord:
    """What follows counts only once EndTransactionRecord comes."""

    name: str | None = String("0+", default=None, nullable="0+", tag=0, tagged="0+")


@message(api_key=24, valid="0", flexible="0+", kind="metadata")
class EndTransactionRecord:
    """What came since BeginTransactionRecord counts."""


@message(api_key=25, valid="0", flexible="0+", kind="metadata")
class AbortTransactionRecord:
    """What came since BeginTransactionRecord does not count."""

    reason: str | None = String("0+", default=None, nullable="0+", tag=0, tagged="0+")


@message(api_key=26, valid="0", flexible="0+", kind="metadata")
class RemoveDelegationTokenRecord:
    """A delegation token is deleted."""

    token_id: str = String("0+")


@struct
class ControllerEndpoint:
    name: str = String("0+")
    host: str = String("0+")
    port: int = Uint16("0+")
    security_protocol: int = Int16("0+")


@struct
class ControllerFeature:
    name: str = String("0+")
    min_supported_version: int = Int16("0+")
    max_supported_version: int = Int16("0+")


@message(api_key=27, valid="0", flexible="0+", kind="metadata")
class RegisterControllerRecord:
    """A controller with its listeners and features."""

    controller_id: int = Int32("0+")
    incarnation_id: bytes = Uuid("0+")
    zk_migration_ready: bool = Bool("0+")
    end_points: tuple[ControllerEndpoint, ...] = Array(ControllerEndpoint, "0+")
    features: tuple[ControllerFeature, ...] = Array(ControllerFeature, "0+")


@message(api_key=28, valid="0", flexible="0+", kind="metadata")
class ClearElrRecord:
    """The eligible leader replicas of a topic, or of all when the name is empty, are forgotten."""

    topic_name: str = Name("0+")


@message(api_key=29, valid="0", flexible="0+", kind="metadata")
class UnregisterControllerRecord:
    """A controller is gone for good."""

    controller_id: int = Int32("0+")
