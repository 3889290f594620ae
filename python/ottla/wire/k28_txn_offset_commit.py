"""TxnOffsetCommit (28): commit a group's offsets within a transaction.

v2 leader epoch · v3 member, instance, generation (KIP-447), flexible · v4 TRANSACTION_ABORTABLE · v5 broker adds the
offsets partition implicitly (TV2) · v6 topic ids, GROUP_ID_NOT_FOUND, STALE_MEMBER_EPOCH (KIP-1319)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, Name, String, Uuid, message, struct


@struct
class TxnOffsetCommitRequestPartition:
    partition_index: int = Int32("0+")
    committed_offset: int = Int64("0+")
    committed_leader_epoch: int = Int32("2+", default=-1, ignorable=True)
    committed_metadata: str | None = String("0+", nullable="0+")


@struct
class TxnOffsetCommitRequestTopic:
    name: str = Name("0-5", ignorable=True)
    topic_id: bytes = Uuid("6+", ignorable=True)
    partitions: tuple[TxnOffsetCommitRequestPartition, ...] = Array(TxnOffsetCommitRequestPartition, "0+")


@message(api_key=28, valid="0-6", flexible="3+", listeners="broker")
class TxnOffsetCommitRequest:
    transactional_id: str = String("0+")
    group_id: str = String("0+")
    producer_id: int = Int64("0+")
    producer_epoch: int = Int16("0+")
    generation_id_or_member_epoch: int = Int32("3+", default=-1)
    member_id: str = String("3+")
    group_instance_id: str | None = String("3+", default=None, nullable="3+")
    topics: tuple[TxnOffsetCommitRequestTopic, ...] = Array(TxnOffsetCommitRequestTopic, "0+")


@struct
class TxnOffsetCommitResponsePartition:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")


@struct
class TxnOffsetCommitResponseTopic:
    name: str = Name("0-5", ignorable=True)
    topic_id: bytes = Uuid("6+", ignorable=True)
    partitions: tuple[TxnOffsetCommitResponsePartition, ...] = Array(TxnOffsetCommitResponsePartition, "0+")


@message(api_key=28, valid="0-6", flexible="3+")
class TxnOffsetCommitResponse:
    throttle_time_ms: int = Int32("0+")
    topics: tuple[TxnOffsetCommitResponseTopic, ...] = Array(TxnOffsetCommitResponseTopic, "0+")
