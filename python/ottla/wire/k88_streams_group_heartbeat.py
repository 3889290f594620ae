"""StreamsGroupHeartbeat (88): a member of a streams group says what it runs and hears what it should run.

v1 topology description flag, status 6 (KIP-1331)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int8, Int16, Int32, Int64, Name, String, Struct, Uint16, message, struct


@struct
class KeyValue:
    key: str = String("0+")
    value: str = String("0+")


@struct
class TopicInfo:
    name: str = Name("0+")
    partitions: int = Int32("0+")
    replication_factor: int = Int16("0+")
    topic_configs: tuple[KeyValue, ...] = Array(KeyValue, "0+")


@struct
class CopartitionGroup:
    source_topics: tuple[int, ...] = Array(Int16(), "0+")
    source_topic_regex: tuple[int, ...] = Array(Int16(), "0+")
    repartition_source_topics: tuple[int, ...] = Array(Int16(), "0+")


@struct
class Subtopology:
    subtopology_id: str = String("0+")
    source_topics: tuple[str, ...] = Array(Name(), "0+")
    source_topic_regex: tuple[str, ...] = Array(String(), "0+")
    state_changelog_topics: tuple[TopicInfo, ...] = Array(TopicInfo, "0+")
    repartition_sink_topics: tuple[str, ...] = Array(Name(), "0+")
    repartition_source_topics: tuple[TopicInfo, ...] = Array(TopicInfo, "0+")
    copartition_groups: tuple[CopartitionGroup, ...] = Array(CopartitionGroup, "0+")


@struct
class Topology:
    epoch: int = Int32("0+")
    subtopologies: tuple[Subtopology, ...] = Array(Subtopology, "0+")


@struct
class TaskIds:
    subtopology_id: str = String("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@struct
class Endpoint:
    host: str = String("0+")
    port: int = Uint16("0+")


@struct
class TaskOffset:
    subtopology_id: str = String("0+")
    partition: int = Int32("0+")
    offset: int = Int64("0+")


@message(api_key=88, valid="0-1", flexible="0+", listeners="broker")
class StreamsGroupHeartbeatRequest:
    group_id: str = String("0+")
    member_id: str = String("0+")
    member_epoch: int = Int32("0+")
    endpoint_information_epoch: int = Int32("0+")
    instance_id: str | None = String("0+", default=None, nullable="0+")
    rack_id: str | None = String("0+", default=None, nullable="0+")
    rebalance_timeout_ms: int = Int32("0+", default=-1)
    topology: Topology | None = Struct(Topology, "0+", default=None, nullable="0+")
    active_tasks: tuple[TaskIds, ...] | None = Array(TaskIds, "0+", default=None, nullable="0+")
    standby_tasks: tuple[TaskIds, ...] | None = Array(TaskIds, "0+", default=None, nullable="0+")
    warmup_tasks: tuple[TaskIds, ...] | None = Array(TaskIds, "0+", default=None, nullable="0+")
    process_id: str | None = String("0+", default=None, nullable="0+")
    user_endpoint: Endpoint | None = Struct(Endpoint, "0+", default=None, nullable="0+")
    client_tags: tuple[KeyValue, ...] | None = Array(KeyValue, "0+", default=None, nullable="0+")
    task_offsets: tuple[TaskOffset, ...] | None = Array(TaskOffset, "0+", default=None, nullable="0+")
    task_end_offsets: tuple[TaskOffset, ...] | None = Array(TaskOffset, "0+", default=None, nullable="0+")
    shutdown_application: bool = Bool("0+")


@struct
class Status:
    status_code: int = Int8("0+")
    status_detail: str = String("0+")


@struct
class TopicPartition:
    topic: str = Name("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@struct
class EndpointToPartitions:
    user_endpoint: Endpoint = Struct(Endpoint, "0+")
    active_partitions: tuple[TopicPartition, ...] = Array(TopicPartition, "0+")
    standby_partitions: tuple[TopicPartition, ...] = Array(TopicPartition, "0+")


@message(api_key=88, valid="0-1", flexible="0+")
class StreamsGroupHeartbeatResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    member_id: str = String("0+")
    member_epoch: int = Int32("0+")
    heartbeat_interval_ms: int = Int32("0+")
    acceptable_recovery_lag_legacy: int = Int32("0")
    task_offset_interval_ms: int = Int32("0+")
    acceptable_recovery_lag: int = Int64("1+", default=-1, ignorable=True)
    status: tuple[Status, ...] | None = Array(Status, "0+", nullable="0+")
    active_tasks: tuple[TaskIds, ...] | None = Array(TaskIds, "0+", default=None, nullable="0+")
    standby_tasks: tuple[TaskIds, ...] | None = Array(TaskIds, "0+", default=None, nullable="0+")
    warmup_tasks: tuple[TaskIds, ...] | None = Array(TaskIds, "0+", default=None, nullable="0+")
    topology_description_required: bool = Bool("1+")
    endpoint_information_epoch: int = Int32("0+")
    partitions_by_user_endpoint: tuple[EndpointToPartitions, ...] | None = Array(
        EndpointToPartitions, "0+", default=None, nullable="0+"
    )
