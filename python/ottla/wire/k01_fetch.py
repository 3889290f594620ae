"""Fetch (1): read batches of records from partitions, as a consumer or as a follower.

v4 isolation level, aborted list · v5 log start offset · v6 KAFKA_STORAGE_ERROR · v7 fetch sessions (KIP-227) ·
v8 answer before throttling · v9 current leader epoch (KIP-320) · v10 zstd · v11 rack id, preferred read replica
(KIP-392) · v12 flexible, last fetched epoch/diverging epoch (KIP-595) · v13 topic ids ·
v14 OFFSET_MOVED_TO_TIERED_STORAGE (KIP-405) · v15 ReplicaState tag with replica epoch (KIP-903) · v16 NodeEndpoints
tag (KIP-951) · v17 replica directory id tag (KIP-853) · v18 high watermark tag (KIP-1166)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, Int64, Name, Records, String, Struct, Uuid, message, struct


@struct
class ReplicaState:
    replica_id: int = Int32("15+", default=-1)
    replica_epoch: int = Int64("15+", default=-1)


@struct
class FetchPartition:
    partition: int = Int32("0+")
    current_leader_epoch: int = Int32("9+", default=-1, ignorable=True)
    fetch_offset: int = Int64("0+")
    last_fetched_epoch: int = Int32("12+", default=-1)
    log_start_offset: int = Int64("5+", default=-1, ignorable=True)
    partition_max_bytes: int = Int32("0+")
    replica_directory_id: bytes = Uuid("17+", tag=0, tagged="17+", ignorable=True)
    high_watermark: int = Int64("18+", default=9223372036854775807, tag=1, tagged="18+", ignorable=True)


@struct
class FetchTopic:
    topic: str = Name("0-12", ignorable=True)
    topic_id: bytes = Uuid("13+", ignorable=True)
    partitions: tuple[FetchPartition, ...] = Array(FetchPartition, "0+")


@struct
class ForgottenTopic:
    topic: str = Name("7-12", ignorable=True)
    topic_id: bytes = Uuid("13+", ignorable=True)
    partitions: tuple[int, ...] = Array(Int32(), "7+")


@message(api_key=1, valid="4-18", flexible="12+", listeners="broker,controller")
class FetchRequest:
    cluster_id: str | None = String("12+", default=None, nullable="12+", tag=0, tagged="12+", ignorable=True)
    replica_id: int = Int32("0-14", default=-1)
    replica_state: ReplicaState = Struct(ReplicaState, "15+", tag=1, tagged="15+")
    max_wait_ms: int = Int32("0+")
    min_bytes: int = Int32("0+")
    max_bytes: int = Int32("3+", default=2147483647, ignorable=True)
    isolation_level: int = Int8("4+", ignorable=True)
    session_id: int = Int32("7+", ignorable=True)
    session_epoch: int = Int32("7+", default=-1, ignorable=True)
    topics: tuple[FetchTopic, ...] = Array(FetchTopic, "0+")
    forgotten_topics_data: tuple[ForgottenTopic, ...] = Array(ForgottenTopic, "7+")
    rack_id: str = String("11+", ignorable=True)


@struct
class EpochEndOffset:
    epoch: int = Int32("12+", default=-1)
    end_offset: int = Int64("12+", default=-1)


@struct
class LeaderIdAndEpoch:
    leader_id: int = Int32("12+", default=-1)
    leader_epoch: int = Int32("12+", default=-1)


@struct
class SnapshotId:
    end_offset: int = Int64("0+", default=-1)
    epoch: int = Int32("0+", default=-1)


@struct
class AbortedTransaction:
    producer_id: int = Int64("4+")
    first_offset: int = Int64("4+")


@struct
class PartitionData:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")
    high_watermark: int = Int64("0+")
    last_stable_offset: int = Int64("4+", default=-1, ignorable=True)
    log_start_offset: int = Int64("5+", default=-1, ignorable=True)
    diverging_epoch: EpochEndOffset = Struct(EpochEndOffset, "12+", tag=0, tagged="12+")
    current_leader: LeaderIdAndEpoch = Struct(LeaderIdAndEpoch, "12+", tag=1, tagged="12+")
    snapshot_id: SnapshotId = Struct(SnapshotId, "12+", tag=2, tagged="12+")
    aborted_transactions: tuple[AbortedTransaction, ...] | None = Array(
        AbortedTransaction, "4+", nullable="4+", ignorable=True
    )
    preferred_read_replica: int = Int32("11+", default=-1)
    records: bytes | None = Records("0+", nullable="0+")


@struct
class FetchableTopicResponse:
    topic: str = Name("0-12", ignorable=True)
    topic_id: bytes = Uuid("13+", ignorable=True)
    partitions: tuple[PartitionData, ...] = Array(PartitionData, "0+")


@struct
class NodeEndpoint:
    node_id: int = Int32("16+")
    host: str = String("16+")
    port: int = Int32("16+")
    rack: str | None = String("16+", default=None, nullable="16+")


@message(api_key=1, valid="4-18", flexible="12+")
class FetchResponse:
    throttle_time_ms: int = Int32("1+", ignorable=True)
    error_code: int = Int16("7+", ignorable=True)
    session_id: int = Int32("7+")
    responses: tuple[FetchableTopicResponse, ...] = Array(FetchableTopicResponse, "0+")
    node_endpoints: tuple[NodeEndpoint, ...] = Array(NodeEndpoint, "16+", tag=0, tagged="16+")
