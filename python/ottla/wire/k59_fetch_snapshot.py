"""FetchSnapshot (59): a follower of the quorum reads a part of a snapshot.

v1 replica directory id
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, Name, Records, String, Struct, Uint16, Uuid, message, struct


@struct
class SnapshotId:
    end_offset: int = Int64("0+")
    epoch: int = Int32("0+")


@struct(name="PartitionSnapshot")
class RequestPartitionSnapshot:
    partition: int = Int32("0+")
    current_leader_epoch: int = Int32("0+")
    snapshot_id: SnapshotId = Struct(SnapshotId, "0+")
    position: int = Int64("0+")
    replica_directory_id: bytes = Uuid("1+", tag=0, tagged="1+", ignorable=True)


@struct(name="TopicSnapshot")
class RequestTopicSnapshot:
    name: str = Name("0+")
    partitions: tuple[RequestPartitionSnapshot, ...] = Array(RequestPartitionSnapshot, "0+")


@message(api_key=59, valid="0-1", flexible="0+", listeners="controller")
class FetchSnapshotRequest:
    cluster_id: str | None = String("0+", default=None, nullable="0+", tag=0, tagged="0+")
    replica_id: int = Int32("0+", default=-1)
    max_bytes: int = Int32("0+", default=2147483647)
    topics: tuple[RequestTopicSnapshot, ...] = Array(RequestTopicSnapshot, "0+")


@struct
class LeaderIdAndEpoch:
    leader_id: int = Int32("0+")
    leader_epoch: int = Int32("0+")


@struct(name="PartitionSnapshot")
class ResponsePartitionSnapshot:
    index: int = Int32("0+")
    error_code: int = Int16("0+")
    snapshot_id: SnapshotId = Struct(SnapshotId, "0+")
    current_leader: LeaderIdAndEpoch = Struct(LeaderIdAndEpoch, "0+", tag=0, tagged="0+")
    size: int = Int64("0+")
    position: int = Int64("0+")
    unaligned_records: bytes = Records("0+")


@struct(name="TopicSnapshot")
class ResponseTopicSnapshot:
    name: str = Name("0+")
    partitions: tuple[ResponsePartitionSnapshot, ...] = Array(ResponsePartitionSnapshot, "0+")


@struct
class NodeEndpoint:
    node_id: int = Int32("1+")
    host: str = String("1+")
    port: int = Uint16("1+")


@message(api_key=59, valid="0-1", flexible="0+")
class FetchSnapshotResponse:
    throttle_time_ms: int = Int32("0+", ignorable=True)
    error_code: int = Int16("0+")
    topics: tuple[ResponseTopicSnapshot, ...] = Array(ResponseTopicSnapshot, "0+")
    node_endpoints: tuple[NodeEndpoint, ...] = Array(NodeEndpoint, "1+", tag=0, tagged="1+")
