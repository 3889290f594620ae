"""Vote (52): a candidate asks a voter of the quorum for its vote.

v1 voter + directory ids (KIP-853) · v2 PreVote flag (KIP-996)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, Int64, Name, String, Uint16, Uuid, message, struct


@struct(name="PartitionData")
class RequestPartitionData:
    partition_index: int = Int32("0+")
    replica_epoch: int = Int32("0+")
    replica_id: int = Int32("0+")
    replica_directory_id: bytes = Uuid("1+", ignorable=True)
    voter_directory_id: bytes = Uuid("1+", ignorable=True)
    last_offset_epoch: int = Int32("0+")
    last_offset: int = Int64("0+")
    pre_vote: bool = Bool("2+")


@struct(name="TopicData")
class RequestTopicData:
    topic_name: str = Name("0+")
    partitions: tuple[RequestPartitionData, ...] = Array(RequestPartitionData, "0+")


@message(api_key=52, valid="0-2", flexible="0+", listeners="controller")
class VoteRequest:
    cluster_id: str | None = String("0+", default=None, nullable="0+")
    voter_id: int = Int32("1+", default=-1, ignorable=True)
    topics: tuple[RequestTopicData, ...] = Array(RequestTopicData, "0+")


@struct(name="PartitionData")
class ResponsePartitionData:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")
    leader_id: int = Int32("0+")
    leader_epoch: int = Int32("0+")
    vote_granted: bool = Bool("0+")


@struct(name="TopicData")
class ResponseTopicData:
    topic_name: str = Name("0+")
    partitions: tuple[ResponsePartitionData, ...] = Array(ResponsePartitionData, "0+")


@struct
class NodeEndpoint:
    node_id: int = Int32("1+")
    host: str = String("1+")
    port: int = Uint16("1+")


@message(api_key=52, valid="0-2", flexible="0+")
class VoteResponse:
    error_code: int = Int16("0+")
    topics: tuple[ResponseTopicData, ...] = Array(ResponseTopicData, "0+")
    node_endpoints: tuple[NodeEndpoint, ...] = Array(NodeEndpoint, "1+", tag=0, tagged="1+")
