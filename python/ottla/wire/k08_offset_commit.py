"""OffsetCommit (8): remember how far a group has read.

v2 retention time · v3 throttle · v5 retention gone · v6 leader epoch · v7 group.instance.id · v8 flexible ·
v9 KIP-848 member epoch, STALE_MEMBER_EPOCH, GROUP_ID_NOT_FOUND · v10 topic ids replace names
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, Name, String, Uuid, message, struct


@struct
class OffsetCommitRequestPartition:
    partition_index: int = Int32("0+")
    committed_offset: int = Int64("0+")
    committed_leader_epoch: int = Int32("6+", default=-1, ignorable=True)
    committed_metadata: str | None = String("0+", nullable="0+")


@struct
class OffsetCommitRequestTopic:
    name: str = Name("0-9", ignorable=True)
    topic_id: bytes = Uuid("10+", ignorable=True)
    partitions: tuple[OffsetCommitRequestPartition, ...] = Array(OffsetCommitRequestPartition, "0+")


@message(api_key=8, valid="2-10", flexible="8+", listeners="broker")
class OffsetCommitRequest:
    group_id: str = String("0+")
    generation_id_or_member_epoch: int = Int32("1+", default=-1, ignorable=True)
    member_id: str = String("1+", ignorable=True)
    group_instance_id: str | None = String("7+", default=None, nullable="7+")
    retention_time_ms: int = Int64("2-4", default=-1, ignorable=True)
    topics: tuple[OffsetCommitRequestTopic, ...] = Array(OffsetCommitRequestTopic, "0+")


@struct
class OffsetCommitResponsePartition:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")


@struct
class OffsetCommitResponseTopic:
    name: str = Name("0-9", ignorable=True)
    topic_id: bytes = Uuid("10+", ignorable=True)
    partitions: tuple[OffsetCommitResponsePartition, ...] = Array(OffsetCommitResponsePartition, "0+")


@message(api_key=8, valid="2-10", flexible="8+")
class OffsetCommitResponse:
    throttle_time_ms: int = Int32("3+", ignorable=True)
    topics: tuple[OffsetCommitResponseTopic, ...] = Array(OffsetCommitResponseTopic, "0+")
