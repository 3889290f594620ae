"""StreamsGroupDescribe (89): the state, the topology, the members and the assignments of streams groups.

v1 topology description (KIP-1331), assignor name (KIP-1357)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int8, Int16, Int32, Int64, Name, String, Struct, Uint16, message, struct


@message(api_key=89, valid="0-1", flexible="0+", listeners="broker")
class StreamsGroupDescribeRequest:
    group_ids: tuple[str, ...] = Array(String(), "0+")
    include_authorized_operations: bool = Bool("0+")
    include_topology_description: bool = Bool("1+")


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
class Subtopology:
    subtopology_id: str = String("0+")
    source_topics: tuple[str, ...] = Array(Name(), "0+")
    repartition_sink_topics: tuple[str, ...] = Array(Name(), "0+")
    state_changelog_topics: tuple[TopicInfo, ...] = Array(TopicInfo, "0+")
    repartition_source_topics: tuple[TopicInfo, ...] = Array(TopicInfo, "0+")


@struct
class Topology:
    epoch: int = Int32("0+")
    subtopologies: tuple[Subtopology, ...] | None = Array(Subtopology, "0+", default=None, nullable="0+")


@struct
class Endpoint:
    host: str = String("0+")
    port: int = Uint16("0+")


@struct
class TaskOffset:
    subtopology_id: str = String("0+")
    partition: int = Int32("0+")
    offset: int = Int64("0+")


@struct
class TaskIds:
    subtopology_id: str = String("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@struct
class Assignment:
    active_tasks: tuple[TaskIds, ...] = Array(TaskIds, "0+")
    standby_tasks: tuple[TaskIds, ...] = Array(TaskIds, "0+")
    warmup_tasks: tuple[TaskIds, ...] = Array(TaskIds, "0+")


@struct
class Member:
    member_id: str = String("0+")
    member_epoch: int = Int32("0+")
    instance_id: str | None = String("0+", default=None, nullable="0+")
    rack_id: str | None = String("0+", default=None, nullable="0+")
    client_id: str = String("0+")
    client_host: str = String("0+")
    topology_epoch: int = Int32("0+")
    process_id: str = String("0+")
    user_endpoint: Endpoint | None = Struct(Endpoint, "0+", default=None, nullable="0+")
    client_tags: tuple[KeyValue, ...] = Array(KeyValue, "0+")
    task_offsets: tuple[TaskOffset, ...] = Array(TaskOffset, "0+")
    task_end_offsets: tuple[TaskOffset, ...] = Array(TaskOffset, "0+")
    assignment: Assignment = Struct(Assignment, "0+")
    target_assignment: Assignment = Struct(Assignment, "0+")
    is_classic: bool = Bool("0+")


@struct
class TopologyDescriptionNode:
    name: str = String("1+")
    node_type: int = Int8("1+")
    source_topics: tuple[str, ...] = Array(Name(), "1+")
    sink_topic: str | None = Name("1+", default=None, nullable="1+")
    stores: tuple[str, ...] = Array(String(), "1+")
    successors: tuple[str, ...] = Array(String(), "1+")


@struct
class TopologyDescriptionSubtopology:
    subtopology_id: str = String("1+")
    nodes: tuple[TopologyDescriptionNode, ...] = Array(TopologyDescriptionNode, "1+")


@struct
class TopologyDescriptionGlobalStore:
    source: TopologyDescriptionNode = Struct(TopologyDescriptionNode, "1+")
    processor: TopologyDescriptionNode = Struct(TopologyDescriptionNode, "1+")


@struct
class TopologyDescription:
    subtopologies: tuple[TopologyDescriptionSubtopology, ...] = Array(TopologyDescriptionSubtopology, "1+")
    global_stores: tuple[TopologyDescriptionGlobalStore, ...] = Array(TopologyDescriptionGlobalStore, "1+")


@struct
class DescribedGroup:
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    group_id: str = String("0+")
    group_state: str = String("0+")
    group_epoch: int = Int32("0+")
    assignment_epoch: int = Int32("0+")
    topology: Topology | None = Struct(Topology, "0+", default=None, nullable="0+")
    members: tuple[Member, ...] = Array(Member, "0+")
    authorized_operations: int = Int32("0+", default=-2147483648)
    topology_description: TopologyDescription | None = Struct(TopologyDescription, "1+", default=None, nullable="1+")
    topology_description_status: int = Int8("1+")
    assignor_name: str | None = String("1+", default=None, nullable="1+", ignorable=True)


@message(api_key=89, valid="0-1", flexible="0+")
class StreamsGroupDescribeResponse:
    throttle_time_ms: int = Int32("0+")
    groups: tuple[DescribedGroup, ...] = Array(DescribedGroup, "0+")
