"""DescribeTopicPartitions (75): topics and partitions page by page, with eligible leader replicas.

v0 (KIP-966). A cursor leads to the next page; max.request.partition.size.limit bounds each.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, Name, Struct, Uuid, message, struct


@struct
class TopicRequest:
    name: str = Name("0+")


@struct
class Cursor:
    topic_name: str = Name("0+")
    partition_index: int = Int32("0+")


@message(api_key=75, valid="0", flexible="0+", listeners="broker")
class DescribeTopicPartitionsRequest:
    topics: tuple[TopicRequest, ...] = Array(TopicRequest, "0+")
    response_partition_limit: int = Int32("0+", default=2000)
    cursor: Cursor | None = Struct(Cursor, "0+", default=None, nullable="0+")


@struct
class DescribeTopicPartitionsResponsePartition:
    error_code: int = Int16("0+")
    partition_index: int = Int32("0+")
    leader_id: int = Int32("0+")
    leader_epoch: int = Int32("0+", default=-1, ignorable=True)
    replica_nodes: tuple[int, ...] = Array(Int32(), "0+")
    isr_nodes: tuple[int, ...] = Array(Int32(), "0+")
    eligible_leader_replicas: tuple[int, ...] | None = Array(Int32(), "0+", default=None, nullable="0+")
    last_known_elr: tuple[int, ...] | None = Array(Int32(), "0+", default=None, nullable="0+")
    offline_replicas: tuple[int, ...] = Array(Int32(), "0+", ignorable=True)


@struct
class DescribeTopicPartitionsResponseTopic:
    error_code: int = Int16("0+")
    name: str | None = Name("0+", nullable="0+")
    topic_id: bytes = Uuid("0+", ignorable=True)
    is_internal: bool = Bool("0+", ignorable=True)
    partitions: tuple[DescribeTopicPartitionsResponsePartition, ...] = Array(
        DescribeTopicPartitionsResponsePartition, "0+"
    )
    topic_authorized_operations: int = Int32("0+", default=-2147483648)


@message(api_key=75, valid="0", flexible="0+")
class DescribeTopicPartitionsResponse:
    throttle_time_ms: int = Int32("0+", ignorable=True)
    topics: tuple[DescribeTopicPartitionsResponseTopic, ...] = Array(DescribeTopicPartitionsResponseTopic, "0+")
    next_cursor: Cursor | None = Struct(Cursor, "0+", default=None, nullable="0+")
