"""AlterReplicaLogDirs (34): move replicas between the log directories of a broker.

v2 flexible
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Name, String, message, struct


@struct
class AlterReplicaLogDirTopic:
    name: str = Name("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@struct
class AlterReplicaLogDir:
    path: str = String("0+")
    topics: tuple[AlterReplicaLogDirTopic, ...] = Array(AlterReplicaLogDirTopic, "0+")


@message(api_key=34, valid="1-2", flexible="2+", listeners="broker")
class AlterReplicaLogDirsRequest:
    dirs: tuple[AlterReplicaLogDir, ...] = Array(AlterReplicaLogDir, "0+")


@struct
class AlterReplicaLogDirPartitionResult:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")


@struct
class AlterReplicaLogDirTopicResult:
    topic_name: str = Name("0+")
    partitions: tuple[AlterReplicaLogDirPartitionResult, ...] = Array(AlterReplicaLogDirPartitionResult, "0+")


@message(api_key=34, valid="1-2", flexible="2+")
class AlterReplicaLogDirsResponse:
    throttle_time_ms: int = Int32("0+")
    results: tuple[AlterReplicaLogDirTopicResult, ...] = Array(AlterReplicaLogDirTopicResult, "0+")
