"""CreatePartitions (37): give topics more partitions.

v2 flexible · v3 THROTTLING_QUOTA_EXCEEDED
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, Name, String, message, struct


@struct
class CreatePartitionsAssignment:
    broker_ids: tuple[int, ...] = Array(Int32(), "0+")


@struct
class CreatePartitionsTopic:
    name: str = Name("0+")
    count: int = Int32("0+")
    assignments: tuple[CreatePartitionsAssignment, ...] | None = Array(CreatePartitionsAssignment, "0+", nullable="0+")


@message(api_key=37, valid="0-3", flexible="2+", listeners="broker,controller")
class CreatePartitionsRequest:
    topics: tuple[CreatePartitionsTopic, ...] = Array(CreatePartitionsTopic, "0+")
    timeout_ms: int = Int32("0+")
    validate_only: bool = Bool("0+")


@struct
class CreatePartitionsTopicResult:
    name: str = Name("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")


@message(api_key=37, valid="0-3", flexible="2+")
class CreatePartitionsResponse:
    throttle_time_ms: int = Int32("0+")
    results: tuple[CreatePartitionsTopicResult, ...] = Array(CreatePartitionsTopicResult, "0+")
