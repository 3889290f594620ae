"""``__consumer_offsets``: what the group coordinator remembers.

Key bytes are the id of the record type (int16) and the key; value bytes are the version of the value (int16) and the
value; a null value deletes. Keys have version 0 alone and are never flexible. Ids 0 and 1 share the layout of the key.

Four tagged fields may be null and are empty, or all defaults, when they are not there: Kafka's schemas give them a JSON
null as default, which its generator reads as none. So a member without classic metadata says null in its record.
"""

from __future__ import annotations

from ottla.wire.schema import (
    Array,
    Bytes,
    Int8,
    Int16,
    Int32,
    Int64,
    Name,
    String,
    Struct,
    Uint16,
    Uuid,
    message,
    struct,
)


@message(api_key=0, valid="0", lower_camel=True)
class LegacyOffsetCommitKey:
    group: str = Name("0")
    topic: str = Name("0")
    partition: int = Int32("0")


@message(api_key=0, valid="0", lower_camel=True)
class LegacyOffsetCommitValue:
    """An offset commit as it was before version 1; read only."""

    offset: int = Int64("0")
    metadata: str = String("0")
    commit_timestamp: int = Int64("0")


@message(api_key=1, valid="0", lower_camel=True)
class OffsetCommitKey:
    group: str = Name("0")
    topic: str = Name("0")
    partition: int = Int32("0")


@message(api_key=1, valid="0-4", flexible="4+", lower_camel=True)
class OffsetCommitValue:
    """How far a group has read a partition."""

    offset: int = Int64("0+")
    leader_epoch: int = Int32("3+", default=-1, ignorable=True)
    metadata: str = String("0+")
    commit_timestamp: int = Int64("0+")
    expire_timestamp: int = Int64("1", default=-1, ignorable=True)
    topic_id: bytes = Uuid("4+", tag=0, tagged="4+", ignorable=True)


@message(api_key=2, valid="0", lower_camel=True)
class GroupMetadataKey:
    group: str = Name("0")


@struct(lower_camel=True)
class MemberMetadata:
    member_id: str = String("0+")
    group_instance_id: str | None = String("3+", default=None, nullable="3+", ignorable=True)
    client_id: str = String("0+")
    client_host: str = String("0+")
    rebalance_timeout: int = Int32("1+", default=-1, ignorable=True)
    session_timeout: int = Int32("0+")
    subscription: bytes = Bytes("0+")
    assignment: bytes = Bytes("0+")


@message(api_key=2, valid="0-4", flexible="4+", lower_camel=True)
class GroupMetadataValue:
    """A stable classic group with its members, as the last rebalance left it."""

    protocol_type: str = String("0+")
    generation: int = Int32("0+")
    protocol: str | None = String("0+", nullable="0+")
    leader: str | None = String("0+", nullable="0+")
    current_state_timestamp: int = Int64("2+", default=-1, ignorable=True)
    members: tuple[MemberMetadata, ...] = Array(MemberMetadata, "0+")


@message(api_key=3, valid="0")
class ConsumerGroupMetadataKey:
    group_id: str = String("0")


@message(api_key=3, valid="0", flexible="0+")
class ConsumerGroupMetadataValue:
    """The epoch of a consumer group."""

    epoch: int = Int32("0+")
    metadata_hash: int = Int64("0+", tag=0, tagged="0+")


@message(api_key=4, valid="0")
class ConsumerGroupPartitionMetadataKey:
    group_id: str = String("0")


@struct
class PartitionMetadata:
    partition: int = Int32("0+")
    racks: tuple[str, ...] = Array(String(), "0+")


@struct
class TopicMetadata:
    topic_id: bytes = Uuid("0+")
    topic_name: str = String("0+")
    num_partitions: int = Int32("0+")
    partition_metadata: tuple[PartitionMetadata, ...] = Array(PartitionMetadata, "0+")


@message(api_key=4, valid="0", flexible="0+")
class ConsumerGroupPartitionMetadataValue:
    """What a consumer group knew of its topics; now only deleted."""

    topics: tuple[TopicMetadata, ...] = Array(TopicMetadata, "0+")


@message(api_key=5, valid="0")
class ConsumerGroupMemberMetadataKey:
    group_id: str = String("0")
    member_id: str = String("0")


@struct
class ClassicProtocol:
    name: str = String("0+")
    metadata: bytes = Bytes("0+")


@struct
class ClassicMemberMetadata:
    session_timeout_ms: int = Int32("0+")
    supported_protocols: tuple[ClassicProtocol, ...] = Array(ClassicProtocol, "0+")


@message(api_key=5, valid="0", flexible="0+")
class ConsumerGroupMemberMetadataValue:
    """What a member of a consumer group says of itself."""

    instance_id: str | None = String("0+", nullable="0+")
    rack_id: str | None = String("0+", nullable="0+")
    client_id: str = String("0+")
    client_host: str = String("0+")
    subscribed_topic_names: tuple[str, ...] = Array(Name(), "0+")
    subscribed_topic_regex: str | None = String("0+", nullable="0+")
    rebalance_timeout_ms: int = Int32("0+", default=-1)
    server_assignor: str | None = String("0+", nullable="0+")
    classic_member_metadata: ClassicMemberMetadata | None = Struct(
        ClassicMemberMetadata, "0+", nullable="0+", tag=0, tagged="0+"
    )


@message(api_key=6, valid="0")
class ConsumerGroupTargetAssignmentMetadataKey:
    group_id: str = String("0")


@message(api_key=6, valid="0", flexible="0+")
class ConsumerGroupTargetAssignmentMetadataValue:
    """The epoch of a consumer group's target assignment."""

    assignment_epoch: int = Int32("0+")
    assignment_timestamp: int = Int64("0+", tag=0, tagged="0+", ignorable=True)


@message(api_key=7, valid="0")
class ConsumerGroupTargetAssignmentMemberKey:
    group_id: str = String("0")
    member_id: str = String("0")


@struct
class TopicPartition:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@message(api_key=7, valid="0", flexible="0+")
class ConsumerGroupTargetAssignmentMemberValue:
    """What a member of a consumer group should own."""

    topic_partitions: tuple[TopicPartition, ...] = Array(TopicPartition, "0+")


@message(api_key=8, valid="0")
class ConsumerGroupCurrentMemberAssignmentKey:
    group_id: str = String("0")
    member_id: str = String("0")


@struct(name="TopicPartitions")
class ConsumerTopicPartitions:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")
    assignment_epochs: tuple[int, ...] | None = Array(Int32(), "0+", nullable="0+", tag=0, tagged="0+")


@message(api_key=8, valid="0", flexible="0+")
class ConsumerGroupCurrentMemberAssignmentValue:
    """What a member of a consumer group owns, and gives up."""

    member_epoch: int = Int32("0+")
    previous_member_epoch: int = Int32("0+")
    state: int = Int8("0+")
    assigned_partitions: tuple[ConsumerTopicPartitions, ...] = Array(ConsumerTopicPartitions, "0+")
    partitions_pending_revocation: tuple[ConsumerTopicPartitions, ...] = Array(ConsumerTopicPartitions, "0+")


@message(api_key=10, valid="0")
class ShareGroupMemberMetadataKey:
    group_id: str = String("0")
    member_id: str = String("0")


@message(api_key=10, valid="0", flexible="0+")
class ShareGroupMemberMetadataValue:
    """What a member of a share group says of itself."""

    rack_id: str | None = String("0+", nullable="0+")
    client_id: str = String("0+")
    client_host: str = String("0+")
    subscribed_topic_names: tuple[str, ...] = Array(Name(), "0+")


@message(api_key=11, valid="0")
class ShareGroupMetadataKey:
    group_id: str = String("0")


@message(api_key=11, valid="0", flexible="0+")
class ShareGroupMetadataValue:
    """The epoch of a share group."""

    epoch: int = Int32("0+")
    metadata_hash: int = Int64("0+")


@message(api_key=12, valid="0")
class ShareGroupTargetAssignmentMetadataKey:
    group_id: str = String("0")


@message(api_key=12, valid="0", flexible="0+")
class ShareGroupTargetAssignmentMetadataValue:
    """The epoch of a share group's target assignment."""

    assignment_epoch: int = Int32("0+")
    assignment_timestamp: int = Int64("0+", tag=0, tagged="0+", ignorable=True)


@message(api_key=13, valid="0")
class ShareGroupTargetAssignmentMemberKey:
    group_id: str = String("0")
    member_id: str = String("0")


@message(api_key=13, valid="0", flexible="0+")
class ShareGroupTargetAssignmentMemberValue:
    """What a member of a share group should read."""

    topic_partitions: tuple[TopicPartition, ...] = Array(TopicPartition, "0+")


@message(api_key=14, valid="0")
class ShareGroupCurrentMemberAssignmentKey:
    group_id: str = String("0")
    member_id: str = String("0")


@struct(name="TopicPartitions")
class ShareTopicPartitions:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@message(api_key=14, valid="0", flexible="0+")
class ShareGroupCurrentMemberAssignmentValue:
    """What a member of a share group reads."""

    member_epoch: int = Int32("0+")
    previous_member_epoch: int = Int32("0+")
    state: int = Int8("0+")
    assigned_partitions: tuple[ShareTopicPartitions, ...] = Array(ShareTopicPartitions, "0+")


@message(api_key=15, valid="0")
class ShareGroupStatePartitionMetadataKey:
    group_id: str = String("0")


@struct
class TopicPartitionsInfo:
    topic_id: bytes = Uuid("0+")
    topic_name: str = String("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@struct(name="TopicInfo")
class ShareTopicInfo:
    topic_id: bytes = Uuid("0+")
    topic_name: str = String("0+")


@message(api_key=15, valid="0", flexible="0+")
class ShareGroupStatePartitionMetadataValue:
    """How far the share state of a group's topics has come to be, or to be gone."""

    initializing_topics: tuple[TopicPartitionsInfo, ...] = Array(TopicPartitionsInfo, "0+")
    initialized_topics: tuple[TopicPartitionsInfo, ...] = Array(TopicPartitionsInfo, "0+")
    deleting_topics: tuple[ShareTopicInfo, ...] = Array(ShareTopicInfo, "0+")


@message(api_key=16, valid="0")
class ConsumerGroupRegularExpressionKey:
    group_id: str = String("0")
    regular_expression: str = String("0")


@message(api_key=16, valid="0", flexible="0+")
class ConsumerGroupRegularExpressionValue:
    """The topics that a subscribed pattern matched."""

    topics: tuple[str, ...] = Array(String(), "0+")
    version: int = Int64("0+")
    timestamp: int = Int64("0+")


@message(api_key=17, valid="0")
class StreamsGroupMetadataKey:
    group_id: str = String("0")


@struct
class LastAssignmentConfig:
    key: str = String("0+")
    value: str = String("0+")


@message(api_key=17, valid="0", flexible="0+")
class StreamsGroupMetadataValue:
    """The epoch of a streams group."""

    epoch: int = Int32("0+")
    metadata_hash: int = Int64("0+")
    validated_topology_epoch: int = Int32("0+", default=-1, tag=0, tagged="0+")
    last_assignment_configs: tuple[LastAssignmentConfig, ...] | None = Array(
        LastAssignmentConfig, "0+", nullable="0+", tag=1, tagged="0+"
    )
    stored_description_topology_epoch: int = Int32("0+", default=-1, tag=2, tagged="0+")
    failed_description_topology_epoch: int = Int32("0+", default=-1, tag=3, tagged="0+")


@message(api_key=19, valid="0")
class StreamsGroupMemberMetadataKey:
    group_id: str = String("0")
    member_id: str = String("0")


@struct
class Endpoint:
    host: str = String("0+")
    port: int = Uint16("0+")


@struct
class KeyValue:
    key: str = String("0+")
    value: str = String("0+")


@message(api_key=19, valid="0", flexible="0+")
class StreamsGroupMemberMetadataValue:
    """What a member of a streams group says of itself."""

    instance_id: str | None = String("0+", nullable="0+")
    rack_id: str | None = String("0+", nullable="0+")
    client_id: str = String("0+")
    client_host: str = String("0+")
    rebalance_timeout_ms: int = Int32("0+", default=-1)
    topology_epoch: int = Int32("0+")
    process_id: str = String("0+")
    user_endpoint: Endpoint | None = Struct(Endpoint, "0+", default=None, nullable="0+")
    client_tags: tuple[KeyValue, ...] = Array(KeyValue, "0+")


@message(api_key=20, valid="0")
class StreamsGroupTargetAssignmentMetadataKey:
    group_id: str = String("0")


@message(api_key=20, valid="0", flexible="0+")
class StreamsGroupTargetAssignmentMetadataValue:
    """The epoch of a streams group's target assignment."""

    assignment_epoch: int = Int32("0+")
    assignment_timestamp: int = Int64("0+", tag=0, tagged="0+", ignorable=True)


@message(api_key=21, valid="0")
class StreamsGroupTargetAssignmentMemberKey:
    group_id: str = String("0")
    member_id: str = String("0")


@struct(name="TaskIds")
class TargetTaskIds:
    subtopology_id: str = String("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@message(api_key=21, valid="0", flexible="0+")
class StreamsGroupTargetAssignmentMemberValue:
    """The tasks that a member of a streams group should run."""

    active_tasks: tuple[TargetTaskIds, ...] = Array(TargetTaskIds, "0+")
    standby_tasks: tuple[TargetTaskIds, ...] = Array(TargetTaskIds, "0+")
    warmup_tasks: tuple[TargetTaskIds, ...] = Array(TargetTaskIds, "0+")


@message(api_key=22, valid="0")
class StreamsGroupCurrentMemberAssignmentKey:
    group_id: str = String("0")
    member_id: str = String("0")


@struct(name="TaskIds")
class CurrentTaskIds:
    subtopology_id: str = String("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")
    assignment_epochs: tuple[int, ...] | None = Array(Int32(), "0+", nullable="0+", tag=0, tagged="0+")


@message(api_key=22, valid="0", flexible="0+")
class StreamsGroupCurrentMemberAssignmentValue:
    """The tasks that a member of a streams group runs, and gives up."""

    member_epoch: int = Int32("0+")
    previous_member_epoch: int = Int32("0+")
    state: int = Int8("0+")
    active_tasks: tuple[CurrentTaskIds, ...] = Array(CurrentTaskIds, "0+")
    standby_tasks: tuple[CurrentTaskIds, ...] = Array(CurrentTaskIds, "0+")
    warmup_tasks: tuple[CurrentTaskIds, ...] = Array(CurrentTaskIds, "0+")
    active_tasks_pending_revocation: tuple[CurrentTaskIds, ...] = Array(CurrentTaskIds, "0+")
    standby_tasks_pending_revocation: tuple[CurrentTaskIds, ...] = Array(CurrentTaskIds, "0+")
    warmup_tasks_pending_revocation: tuple[CurrentTaskIds, ...] = Array(CurrentTaskIds, "0+")


@message(api_key=23, valid="0")
class StreamsGroupTopologyKey:
    group_id: str = String("0")


@struct(lower_camel=True)
class TopicConfig:
    key: str = String("0+")
    value: str = String("0+")


@struct(name="TopicInfo")
class StreamsTopicInfo:
    name: str = String("0+")
    partitions: int = Int32("0+")
    replication_factor: int = Int16("0+")
    topic_configs: tuple[TopicConfig, ...] = Array(TopicConfig, "0+")


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
    state_changelog_topics: tuple[StreamsTopicInfo, ...] = Array(StreamsTopicInfo, "0+")
    repartition_sink_topics: tuple[str, ...] = Array(String(), "0+")
    repartition_source_topics: tuple[StreamsTopicInfo, ...] = Array(StreamsTopicInfo, "0+")
    copartition_groups: tuple[CopartitionGroup, ...] = Array(CopartitionGroup, "0+")


@message(api_key=23, valid="0", flexible="0+")
class StreamsGroupTopologyValue:
    """The subtopologies of a streams group."""

    epoch: int = Int32("0+")
    subtopologies: tuple[Subtopology, ...] = Array(Subtopology, "0+")
