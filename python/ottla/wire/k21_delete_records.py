"""DeleteRecords (21): delete the records before an offset.

v1 answers before it throttles · v2 flexible

Offset -1 is the high watermark. Topics that are only compacted refuse (POLICY_VIOLATION).
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, Name, message, struct


@struct
class DeleteRecordsPartition:
    partition_index: int = Int32("0+")
    offset: int = Int64("0+")


@struct
class DeleteRecordsTopic:
    name: str = Name("0+")
    partitions: tuple[DeleteRecordsPartition, ...] = Array(DeleteRecordsPartition, "0+")


@message(api_key=21, valid="0-2", flexible="2+", listeners="broker")
class DeleteRecordsRequest:
    topics: tuple[DeleteRecordsTopic, ...] = Array(DeleteRecordsTopic, "0+")
    timeout_ms: int = Int32("0+")


@struct
class DeleteRecordsPartitionResult:
    partition_index: int = Int32("0+")
    low_watermark: int = Int64("0+")
    error_code: int = Int16("0+")


@struct
class DeleteRecordsTopicResult:
    name: str = Name("0+")
    partitions: tuple[DeleteRecordsPartitionResult, ...] = Array(DeleteRecordsPartitionResult, "0+")


@message(api_key=21, valid="0-2", flexible="2+")
class DeleteRecordsResponse:
    throttle_time_ms: int = Int32("0+")
    topics: tuple[DeleteRecordsTopicResult, ...] = Array(DeleteRecordsTopicResult, "0+")
