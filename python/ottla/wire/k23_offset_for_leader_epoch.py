"""OffsetForLeaderEpoch (23): where does the log end for this leader epoch?

v2 current leader epoch · v3 replica id · v4 flexible
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, Name, message, struct


@struct
class OffsetForLeaderPartition:
    partition: int = Int32("0+")
    current_leader_epoch: int = Int32("2+", default=-1, ignorable=True)
    leader_epoch: int = Int32("0+")


@struct
class OffsetForLeaderTopic:
    topic: str = Name("0+")
    partitions: tuple[OffsetForLeaderPartition, ...] = Array(OffsetForLeaderPartition, "0+")


@message(api_key=23, valid="2-4", flexible="4+", listeners="broker")
class OffsetForLeaderEpochRequest:
    replica_id: int = Int32("3+", default=-2, ignorable=True)
    topics: tuple[OffsetForLeaderTopic, ...] = Array(OffsetForLeaderTopic, "0+")


@struct
class EpochEndOffset:
    error_code: int = Int16("0+")
    partition: int = Int32("0+")
    leader_epoch: int = Int32("1+", default=-1, ignorable=True)
    end_offset: int = Int64("0+", default=-1)


@struct
class OffsetForLeaderTopicResult:
    topic: str = Name("0+")
    partitions: tuple[EpochEndOffset, ...] = Array(EpochEndOffset, "0+")


@message(api_key=23, valid="2-4", flexible="4+")
class OffsetForLeaderEpochResponse:
    throttle_time_ms: int = Int32("2+", ignorable=True)
    topics: tuple[OffsetForLeaderTopicResult, ...] = Array(OffsetForLeaderTopicResult, "0+")
