"""Produce (0): append batches of records to partitions.

v3 transactional id, magic 2 only · v4 may answer KAFKA_STORAGE_ERROR · v5 answer has log start offset · v7 zstd
allowed (KIP-110; lower versions get UNSUPPORTED_COMPRESSION_TYPE) · v8 per-record errors + message (KIP-467) ·
v9 flexible · v10 tagged CurrentLeader/NodeEndpoints (KIP-951) · v11 TRANSACTION_ABORTABLE (KIP-890) · v12 broker adds
partition to the transaction implicitly (TV2) · v13 topic ids, UNKNOWN_TOPIC_ID (KIP-516)

With acks=0 there is no answer, and an error closes the connection.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, Name, Records, String, Struct, Uuid, message, struct


@struct
class PartitionProduceData:
    index: int = Int32("0+")
    records: bytes | None = Records("0+", nullable="0+")


@struct
class TopicProduceData:
    name: str = Name("0-12", ignorable=True)
    topic_id: bytes = Uuid("13+", ignorable=True)
    partition_data: tuple[PartitionProduceData, ...] = Array(PartitionProduceData, "0+")


@message(api_key=0, valid="3-13", flexible="9+", listeners="broker")
class ProduceRequest:
    transactional_id: str | None = String("3+", default=None, nullable="3+")
    acks: int = Int16("0+")
    timeout_ms: int = Int32("0+")
    topic_data: tuple[TopicProduceData, ...] = Array(TopicProduceData, "0+")


@struct
class BatchIndexAndErrorMessage:
    batch_index: int = Int32("8+")
    batch_index_error_message: str | None = String("8+", default=None, nullable="8+")


@struct
class LeaderIdAndEpoch:
    leader_id: int = Int32("10+", default=-1)
    leader_epoch: int = Int32("10+", default=-1)


@struct
class PartitionProduceResponse:
    index: int = Int32("0+")
    error_code: int = Int16("0+")
    base_offset: int = Int64("0+")
    log_append_time_ms: int = Int64("2+", default=-1, ignorable=True)
    log_start_offset: int = Int64("5+", default=-1, ignorable=True)
    record_errors: tuple[BatchIndexAndErrorMessage, ...] = Array(BatchIndexAndErrorMessage, "8+", ignorable=True)
    error_message: str | None = String("8+", default=None, nullable="8+", ignorable=True)
    current_leader: LeaderIdAndEpoch = Struct(LeaderIdAndEpoch, "10+", tag=0, tagged="10+")


@struct
class TopicProduceResponse:
    name: str = Name("0-12", ignorable=True)
    topic_id: bytes = Uuid("13+", ignorable=True)
    partition_responses: tuple[PartitionProduceResponse, ...] = Array(PartitionProduceResponse, "0+")


@struct
class NodeEndpoint:
    node_id: int = Int32("10+")
    host: str = String("10+")
    port: int = Int32("10+")
    rack: str | None = String("10+", default=None, nullable="10+")


@message(api_key=0, valid="3-13", flexible="9+")
class ProduceResponse:
    responses: tuple[TopicProduceResponse, ...] = Array(TopicProduceResponse, "0+")
    throttle_time_ms: int = Int32("1+", ignorable=True)
    node_endpoints: tuple[NodeEndpoint, ...] = Array(NodeEndpoint, "10+", tag=0, tagged="10+")
