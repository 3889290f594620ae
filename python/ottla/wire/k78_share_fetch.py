"""ShareFetch (78): read records that no other member of the share group has in hand, and acknowledge earlier ones.

v1 first stable (KIP-932) · v2 acquire mode + renew (KIP-1206, KIP-1222)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int8, Int16, Int32, Int64, Records, String, Struct, Uuid, message, struct


@struct
class AcknowledgementBatch:
    first_offset: int = Int64("0+")
    last_offset: int = Int64("0+")
    acknowledge_types: tuple[int, ...] = Array(Int8(), "0+")


@struct
class FetchPartition:
    partition_index: int = Int32("0+")
    partition_max_bytes: int = Int32("0")
    acknowledgement_batches: tuple[AcknowledgementBatch, ...] = Array(AcknowledgementBatch, "0+")


@struct
class FetchTopic:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[FetchPartition, ...] = Array(FetchPartition, "0+")


@struct
class ForgottenTopic:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@message(api_key=78, valid="1-2", flexible="0+", listeners="broker")
class ShareFetchRequest:
    group_id: str | None = String("0+", default=None, nullable="0+")
    member_id: str | None = String("0+", nullable="0+")
    share_session_epoch: int = Int32("0+")
    max_wait_ms: int = Int32("0+")
    min_bytes: int = Int32("0+")
    max_bytes: int = Int32("0+", default=2147483647)
    max_records: int = Int32("1+")
    batch_size: int = Int32("1+")
    share_acquire_mode: int = Int8("2+", ignorable=True)
    is_renew_ack: bool = Bool("2+")
    topics: tuple[FetchTopic, ...] = Array(FetchTopic, "0+")
    forgotten_topics_data: tuple[ForgottenTopic, ...] = Array(ForgottenTopic, "0+")


@struct
class LeaderIdAndEpoch:
    leader_id: int = Int32("0+")
    leader_epoch: int = Int32("0+")


@struct
class AcquiredRecords:
    first_offset: int = Int64("0+")
    last_offset: int = Int64("0+")
    delivery_count: int = Int16("0+")


@struct
class PartitionData:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    acknowledge_error_code: int = Int16("0+")
    acknowledge_error_message: str | None = String("0+", default=None, nullable="0+")
    current_leader: LeaderIdAndEpoch = Struct(LeaderIdAndEpoch, "0+")
    records: bytes | None = Records("0+", nullable="0")
    acquired_records: tuple[AcquiredRecords, ...] = Array(AcquiredRecords, "0+")


@struct
class ShareFetchableTopicResponse:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[PartitionData, ...] = Array(PartitionData, "0+")


@struct
class NodeEndpoint:
    node_id: int = Int32("0+")
    host: str = String("0+")
    port: int = Int32("0+")
    rack: str | None = String("0+", default=None, nullable="0+")


@message(api_key=78, valid="1-2", flexible="0+")
class ShareFetchResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    acquisition_lock_timeout_ms: int = Int32("1+")
    responses: tuple[ShareFetchableTopicResponse, ...] = Array(ShareFetchableTopicResponse, "0+")
    node_endpoints: tuple[NodeEndpoint, ...] = Array(NodeEndpoint, "0+")
