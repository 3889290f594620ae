"""DescribeQuorum (55): who leads the quorum, and how far has each replica come?

v1 fetch/caught-up timestamps (KIP-836) · v2 messages, nodes, directory ids (KIP-853)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, Name, String, Uint16, Uuid, message, struct


@struct(name="PartitionData")
class RequestPartitionData:
    partition_index: int = Int32("0+")


@struct(name="TopicData")
class RequestTopicData:
    topic_name: str = Name("0+")
    partitions: tuple[RequestPartitionData, ...] = Array(RequestPartitionData, "0+")


@message(api_key=55, valid="0-2", flexible="0+", listeners="broker,controller")
class DescribeQuorumRequest:
    topics: tuple[RequestTopicData, ...] = Array(RequestTopicData, "0+")


@struct
class ReplicaState:
    replica_id: int = Int32("0+")
    replica_directory_id: bytes = Uuid("2+")
    log_end_offset: int = Int64("0+")
    last_fetch_timestamp: int = Int64("1+", default=-1, ignorable=True)
    last_caught_up_timestamp: int = Int64("1+", default=-1, ignorable=True)


@struct(name="PartitionData")
class ResponsePartitionData:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("2+", nullable="2+", ignorable=True)
    leader_id: int = Int32("0+")
    leader_epoch: int = Int32("0+")
    high_watermark: int = Int64("0+")
    current_voters: tuple[ReplicaState, ...] = Array(ReplicaState, "0+")
    observers: tuple[ReplicaState, ...] = Array(ReplicaState, "0+")


@struct(name="TopicData")
class ResponseTopicData:
    topic_name: str = Name("0+")
    partitions: tuple[ResponsePartitionData, ...] = Array(ResponsePartitionData, "0+")


@struct
class Listener:
    name: str = String("2+")
    host: str = String("2+")
    port: int = Uint16("2+")


@struct
class Node:
    node_id: int = Int32("2+")
    listeners: tuple[Listener, ...] = Array(Listener, "2+")


@message(api_key=55, valid="0-2", flexible="0+")
class DescribeQuorumResponse:
    error_code: int = Int16("0+")
    error_message: str | None = String("2+", nullable="2+", ignorable=True)
    topics: tuple[ResponseTopicData, ...] = Array(ResponseTopicData, "0+")
    nodes: tuple[Node, ...] = Array(Node, "2+")
