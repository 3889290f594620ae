"""ListOffsets (2): which offset goes with this time, or with the start or end of the log?

v1 one offset per partition with timestamp · v2 isolation · v4 leader epoch both ways (KIP-320) ·
v5 OFFSET_NOT_AVAILABLE · v6 flexible · v7 time -3: the newest record (KIP-734) ·
v8 -4: the earliest local one (KIP-405) · v9 -5: the last tiered one (KIP-1005) · v10 timeout of a remote look-up
(KIP-1075) · v11 -6: the earliest that waits for its upload (KIP-1023)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, Int64, Name, message, struct


@struct
class ListOffsetsPartition:
    partition_index: int = Int32("0+")
    current_leader_epoch: int = Int32("4+", default=-1, ignorable=True)
    timestamp: int = Int64("0+")


@struct
class ListOffsetsTopic:
    name: str = Name("0+")
    partitions: tuple[ListOffsetsPartition, ...] = Array(ListOffsetsPartition, "0+")


@message(api_key=2, valid="1-11", flexible="6+", listeners="broker")
class ListOffsetsRequest:
    replica_id: int = Int32("0+")
    isolation_level: int = Int8("2+")
    topics: tuple[ListOffsetsTopic, ...] = Array(ListOffsetsTopic, "0+")
    timeout_ms: int = Int32("10+", ignorable=True)


@struct
class ListOffsetsPartitionResponse:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")
    timestamp: int = Int64("1+", default=-1)
    offset: int = Int64("1+", default=-1)
    leader_epoch: int = Int32("4+", default=-1)


@struct
class ListOffsetsTopicResponse:
    name: str = Name("0+")
    partitions: tuple[ListOffsetsPartitionResponse, ...] = Array(ListOffsetsPartitionResponse, "0+")


@message(api_key=2, valid="1-11", flexible="6+")
class ListOffsetsResponse:
    throttle_time_ms: int = Int32("2+", ignorable=True)
    topics: tuple[ListOffsetsTopicResponse, ...] = Array(ListOffsetsTopicResponse, "0+")
