"""DescribeLogDirs (35): what is in the log directories of this broker, and how large is it?

v2 flexible · v3 top-level error · v4 total/usable bytes (KIP-827) · v5 cordoned flag (KIP-1066)

Null topics ask for all.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, Int64, Name, String, message, struct


@struct
class DescribableLogDirTopic:
    topic: str = Name("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@message(api_key=35, valid="1-5", flexible="2+", listeners="broker")
class DescribeLogDirsRequest:
    topics: tuple[DescribableLogDirTopic, ...] | None = Array(DescribableLogDirTopic, "0+", nullable="0+")


@struct
class DescribeLogDirsPartition:
    partition_index: int = Int32("0+")
    partition_size: int = Int64("0+")
    offset_lag: int = Int64("0+")
    is_future_key: bool = Bool("0+")


@struct
class DescribeLogDirsTopic:
    name: str = Name("0+")
    partitions: tuple[DescribeLogDirsPartition, ...] = Array(DescribeLogDirsPartition, "0+")


@struct
class DescribeLogDirsResult:
    error_code: int = Int16("0+")
    log_dir: str = String("0+")
    topics: tuple[DescribeLogDirsTopic, ...] = Array(DescribeLogDirsTopic, "0+")
    total_bytes: int = Int64("4+", default=-1, ignorable=True)
    usable_bytes: int = Int64("4+", default=-1, ignorable=True)
    is_cordoned: bool = Bool("5+", ignorable=True)


@message(api_key=35, valid="1-5", flexible="2+")
class DescribeLogDirsResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("3+", ignorable=True)
    results: tuple[DescribeLogDirsResult, ...] = Array(DescribeLogDirsResult, "0+")
