"""``__remote_log_metadata``: which segments are in remote storage (KIP-405).

Framed as ``__cluster_metadata``. The snapshot record is in a broker's local file, not in the topic.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Bytes, Int8, Int32, Int64, String, Struct, Uuid, message, struct


@struct
class TopicIdPartitionEntry:
    name: str = String("0+")
    id: bytes = Uuid("0+")
    partition: int = Int32("0+")


@struct
class RemoteLogSegmentIdEntry:
    topic_id_partition: TopicIdPartitionEntry = Struct(TopicIdPartitionEntry, "0+")
    id: bytes = Uuid("0+")


@struct
class SegmentLeaderEpochEntry:
    leader_epoch: int = Int32("0+")
    offset: int = Int64("0+")


@message(api_key=0, valid="0", flexible="0+", kind="metadata")
class RemoteLogSegmentMetadataRecord:
    """A segment is being copied to, or is in, remote storage."""

    remote_log_segment_id: RemoteLogSegmentIdEntry = Struct(RemoteLogSegmentIdEntry, "0+")
    start_offset: int = Int64("0+")
    end_offset: int = Int64("0+")
    broker_id: int = Int32("0+")
    max_timestamp_ms: int = Int64("0+")
    event_timestamp_ms: int = Int64("0+")
    segment_leader_epochs: tuple[SegmentLeaderEpochEntry, ...] = Array(SegmentLeaderEpochEntry, "0+")
    segment_size_in_bytes: int = Int32("0+")
    custom_metadata: bytes | None = Bytes("0+", default=None, nullable="0+")
    remote_log_segment_state: int = Int8("0+")
    txn_index_empty: bool = Bool("0+", tag=0, tagged="0+")


@message(api_key=1, valid="0", flexible="0+", kind="metadata")
class RemoteLogSegmentMetadataUpdateRecord:
    """The state of a remote segment changes."""

    remote_log_segment_id: RemoteLogSegmentIdEntry = Struct(RemoteLogSegmentIdEntry, "0+")
    broker_id: int = Int32("0+")
    event_timestamp_ms: int = Int64("0+")
    custom_metadata: bytes | None = Bytes("0+", default=None, nullable="0+")
    remote_log_segment_state: int = Int8("0+")


@message(api_key=2, valid="0", flexible="0+", kind="metadata")
class RemotePartitionDeleteMetadataRecord:
    """The remote segments of a deleted partition go."""

    topic_id_partition: TopicIdPartitionEntry = Struct(TopicIdPartitionEntry, "0+")
    broker_id: int = Int32("0+")
    event_timestamp_ms: int = Int64("0+")
    remote_partition_delete_state: int = Int8("0+")


@message(api_key=3, valid="0", flexible="0+", kind="metadata")
class RemoteLogSegmentMetadataSnapshotRecord:
    """A remote segment in the snapshot that a broker keeps of a partition's."""

    segment_id: bytes = Uuid("0+")
    start_offset: int = Int64("0+")
    end_offset: int = Int64("0+")
    broker_id: int = Int32("0+")
    max_timestamp_ms: int = Int64("0+")
    event_timestamp_ms: int = Int64("0+")
    segment_leader_epochs: tuple[SegmentLeaderEpochEntry, ...] = Array(SegmentLeaderEpochEntry, "0+")
    segment_size_in_bytes: int = Int32("0+")
    custom_metadata: bytes | None = Bytes("0+", default=None, nullable="0+")
    remote_log_segment_state: int = Int8("0+")
    txn_index_empty: bool = Bool("0+", tag=0, tagged="0+")
