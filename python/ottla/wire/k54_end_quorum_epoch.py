"""EndQuorumEpoch (54): the leader of the quorum resigns.

v1 flexible, preferred candidates with directory ids
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Name, String, Uint16, Uuid, message, struct


@struct
class ReplicaInfo:
    candidate_id: int = Int32("1+")
    candidate_directory_id: bytes = Uuid("1+")


@struct(name="PartitionData")
class RequestPartitionData:
    partition_index: int = Int32("0+")
    leader_id: int = Int32("0+")
    leader_epoch: int = Int32("0+")
    preferred_successors: tuple[int, ...] = Array(Int32(), "0", ignorable=True)
    preferred_candidates: tuple[ReplicaInfo, ...] = Array(ReplicaInfo, "1+", ignorable=True)


@struct(name="TopicData")
class RequestTopicData:
    topic_name: str = Name("0+")
    partitions: tuple[RequestPartitionData, ...] = Array(RequestPartitionData, "0+")


@struct
class LeaderEndpoint:
    name: str = String("1+")
    host: str = String("1+")
    port: int = Uint16("1+")


@message(api_key=54, valid="0-1", flexible="1+", listeners="controller")
class EndQuorumEpochRequest:
    cluster_id: str | None = String("0+", default=None, nullable="0+")
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


@message(api_key=54, valid="0-1", flexible="1+")
class EndQuorumEpochResponse:
    error_code: int = Int16("0+")
    topics: tuple[ResponseTopicData, ...] = Array(ResponseTopicData, "0+")
    node_endpoints: tuple[NodeEndpoint, ...] = Array(NodeEndpoint, "1+", tag=0, tagged="1+")
