"""ShareAcknowledge (79): acknowledge records read in a share group.

v1 first stable (KIP-932) · v2 renew
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int8, Int16, Int32, Int64, String, Struct, Uuid, message, struct


@struct
class AcknowledgementBatch:
    first_offset: int = Int64("0+")
    last_offset: int = Int64("0+")
    acknowledge_types: tuple[int, ...] = Array(Int8(), "0+")


@struct
class AcknowledgePartition:
    partition_index: int = Int32("0+")
    acknowledgement_batches: tuple[AcknowledgementBatch, ...] = Array(AcknowledgementBatch, "0+")


@struct
class AcknowledgeTopic:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[AcknowledgePartition, ...] = Array(AcknowledgePartition, "0+")


@message(api_key=79, valid="1-2", flexible="0+", listeners="broker")
class ShareAcknowledgeRequest:
    group_id: str | None = String("0+", default=None, nullable="0+")
    member_id: str | None = String("0+", nullable="0+")
    share_session_epoch: int = Int32("0+")
    is_renew_ack: bool = Bool("2+")
    topics: tuple[AcknowledgeTopic, ...] = Array(AcknowledgeTopic, "0+")


@struct
class LeaderIdAndEpoch:
    leader_id: int = Int32("0+")
    leader_epoch: int = Int32("0+")


@struct
class PartitionData:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    current_leader: LeaderIdAndEpoch = Struct(LeaderIdAndEpoch, "0+")


@struct
class ShareAcknowledgeTopicResponse:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[PartitionData, ...] = Array(PartitionData, "0+")


@struct
class NodeEndpoint:
    node_id: int = Int32("0+")
    host: str = String("0+")
    port: int = Int32("0+")
    rack: str | None = String("0+", default=None, nullable="0+")


@message(api_key=79, valid="1-2", flexible="0+")
class ShareAcknowledgeResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    acquisition_lock_timeout_ms: int = Int32("2+", ignorable=True)
    responses: tuple[ShareAcknowledgeTopicResponse, ...] = Array(ShareAcknowledgeTopicResponse, "0+")
    node_endpoints: tuple[NodeEndpoint, ...] = Array(NodeEndpoint, "0+")
