"""CreateTopics (19): create topics.

v2 throttle · v4 default partitions/replication by -1 (KIP-464) · v5 flexible, configs in answer (KIP-525) ·
v6 THROTTLING_QUOTA_EXCEEDED (KIP-599) · v7 topic id in answer
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int8, Int16, Int32, Name, String, Uuid, message, struct


@struct
class CreatableReplicaAssignment:
    partition_index: int = Int32("0+")
    broker_ids: tuple[int, ...] = Array(Int32(), "0+")


@struct
class CreatableTopicConfig:
    name: str = String("0+")
    value: str | None = String("0+", nullable="0+")


@struct
class CreatableTopic:
    name: str = Name("0+")
    num_partitions: int = Int32("0+")
    replication_factor: int = Int16("0+")
    assignments: tuple[CreatableReplicaAssignment, ...] = Array(CreatableReplicaAssignment, "0+")
    configs: tuple[CreatableTopicConfig, ...] = Array(CreatableTopicConfig, "0+")


@message(api_key=19, valid="2-7", flexible="5+", listeners="broker,controller")
class CreateTopicsRequest:
    topics: tuple[CreatableTopic, ...] = Array(CreatableTopic, "0+")
    timeout_ms: int = Int32("0+", default=60000, name="timeoutMs")
    validate_only: bool = Bool("1+", name="validateOnly")


@struct
class CreatableTopicConfigs:
    name: str = String("5+")
    value: str | None = String("5+", nullable="5+")
    read_only: bool = Bool("5+")
    config_source: int = Int8("5+", default=-1, ignorable=True)
    is_sensitive: bool = Bool("5+")


@struct
class CreatableTopicResult:
    name: str = Name("0+")
    topic_id: bytes = Uuid("7+", ignorable=True)
    error_code: int = Int16("0+")
    error_message: str | None = String("1+", nullable="0+", ignorable=True)
    topic_config_error_code: int = Int16("5+", tag=0, tagged="5+", ignorable=True)
    num_partitions: int = Int32("5+", default=-1, ignorable=True)
    replication_factor: int = Int16("5+", default=-1, ignorable=True)
    configs: tuple[CreatableTopicConfigs, ...] | None = Array(
        CreatableTopicConfigs, "5+", nullable="5+", ignorable=True
    )


@message(api_key=19, valid="2-7", flexible="5+")
class CreateTopicsResponse:
    throttle_time_ms: int = Int32("2+", ignorable=True)
    topics: tuple[CreatableTopicResult, ...] = Array(CreatableTopicResult, "0+")
