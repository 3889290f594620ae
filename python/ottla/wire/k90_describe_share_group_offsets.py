"""DescribeShareGroupOffsets (90): where do the share partitions of groups start?

v1 lag (KIP-1226)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, Name, String, Uuid, message, struct


@struct
class DescribeShareGroupOffsetsRequestTopic:
    topic_name: str = Name("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@struct
class DescribeShareGroupOffsetsRequestGroup:
    group_id: str = String("0+")
    topics: tuple[DescribeShareGroupOffsetsRequestTopic, ...] | None = Array(
        DescribeShareGroupOffsetsRequestTopic, "0+", nullable="0+"
    )


@message(api_key=90, valid="0-1", flexible="0+", listeners="broker")
class DescribeShareGroupOffsetsRequest:
    groups: tuple[DescribeShareGroupOffsetsRequestGroup, ...] = Array(DescribeShareGroupOffsetsRequestGroup, "0+")


@struct
class DescribeShareGroupOffsetsResponsePartition:
    partition_index: int = Int32("0+")
    start_offset: int = Int64("0+")
    leader_epoch: int = Int32("0+")
    lag: int = Int64("1+", default=-1, ignorable=True)
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")


@struct
class DescribeShareGroupOffsetsResponseTopic:
    topic_name: str = Name("0+")
    topic_id: bytes = Uuid("0+")
    partitions: tuple[DescribeShareGroupOffsetsResponsePartition, ...] = Array(
        DescribeShareGroupOffsetsResponsePartition, "0+"
    )


@struct
class DescribeShareGroupOffsetsResponseGroup:
    group_id: str = String("0+")
    topics: tuple[DescribeShareGroupOffsetsResponseTopic, ...] = Array(DescribeShareGroupOffsetsResponseTopic, "0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")


@message(api_key=90, valid="0-1", flexible="0+")
class DescribeShareGroupOffsetsResponse:
    throttle_time_ms: int = Int32("0+")
    groups: tuple[DescribeShareGroupOffsetsResponseGroup, ...] = Array(DescribeShareGroupOffsetsResponseGroup, "0+")
