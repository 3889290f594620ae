"""AlterShareGroupOffsets (91): move the start of share partitions of an empty group.

v0 (KIP-932)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, Name, String, Uuid, message, struct


@struct
class AlterShareGroupOffsetsRequestPartition:
    partition_index: int = Int32("0+")
    start_offset: int = Int64("0+")


@struct
class AlterShareGroupOffsetsRequestTopic:
    topic_name: str = Name("0+")
    partitions: tuple[AlterShareGroupOffsetsRequestPartition, ...] = Array(AlterShareGroupOffsetsRequestPartition, "0+")


@message(api_key=91, valid="0", flexible="0+", listeners="broker")
class AlterShareGroupOffsetsRequest:
    group_id: str = String("0+")
    topics: tuple[AlterShareGroupOffsetsRequestTopic, ...] = Array(AlterShareGroupOffsetsRequestTopic, "0+")


@struct
class AlterShareGroupOffsetsResponsePartition:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")


@struct
class AlterShareGroupOffsetsResponseTopic:
    topic_name: str = Name("0+")
    topic_id: bytes = Uuid("0+")
    partitions: tuple[AlterShareGroupOffsetsResponsePartition, ...] = Array(
        AlterShareGroupOffsetsResponsePartition, "0+"
    )


@message(api_key=91, valid="0", flexible="0+")
class AlterShareGroupOffsetsResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    responses: tuple[AlterShareGroupOffsetsResponseTopic, ...] = Array(AlterShareGroupOffsetsResponseTopic, "0+")
