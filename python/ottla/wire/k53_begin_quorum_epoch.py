"""BeginQuorumEpoch (53): a new leader of the quorum makes itself known to the voters.

v1 flexible, voter key, leader endpoints
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Name, String, Uint16, Uuid, message, struct


@struct(name="PartitionData")
class RequestPartitionData:
    partition_index: int = Int32("0+")
    voter_directory_id: bytes = Uuid("1+", ignorable=True)
    leader_id: int = Int32("0+")
    leader_epoch: int = Int32("0+")


@struct(name="TopicData")
class RequestTopicData:
    topic_name: str = Name("0+")
    partitions: tuple[RequestPartitionData, ...] = Array(RequestPartitionData, "0+")


@struct
class LeaderEndpoint:
    name: str = String("1+")
    host: str = String("1+")
    port: int = Uint16("1+")


@message(api_key=53, valid="0-1", flexible="1+", listeners="controller")
class BeginQuorumEpochRequest:
    cluster_id: str | None = String("0+", default=None, nullable="0+")
    voter_id: int = Int32("1+", default=-1, ignorable=True)
    topics: tuple[RequestTopicData, ...] = Array(RequestTopicData, "0+")
    leader_endpoints: tuple[LeaderEndpoint, ...] = Array(LeaderEndpoint, "1+", ignorable=True)


@struct(name="PartitionData")
class ResponsePartitionData:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")
    leader_id: int = Int32("0+")
    leader_epoch: int = Int32("0+")


@struct(name="TopicData")
class ResponseTopicData:
    topic_name: str = Name("0+")
    partitions: tuple[ResponsePartitionData, ...] = Array(ResponsePartitionData, "0+")


@struct
class NodeEndpoint:
    node_id: int = Int32("1+")
    host: str = String("1+")
    port: int = Uint16("1+")


@message(api_key=53, valid="0-1", flexible="1+")
class BeginQuorumEpochResponse:
    error_code: int = Int16("0+")
    topics: tuple[ResponseTopicData, ...] = Array(ResponseTopicData, "0+")
    node_endpoints: tuple[NodeEndpoint, ...] = Array(NodeEndpoint, "1+", tag=0, tagged="1+")
