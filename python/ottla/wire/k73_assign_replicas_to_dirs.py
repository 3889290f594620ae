"""AssignReplicasToDirs (73): a broker tells the controller in which log directory each replica is.

v0 (KIP-858)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, Uuid, message, struct


@struct(name="PartitionData")
class RequestPartitionData:
    partition_index: int = Int32("0+")


@struct(name="TopicData")
class RequestTopicData:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[RequestPartitionData, ...] = Array(RequestPartitionData, "0+")


@struct(name="DirectoryData")
class RequestDirectoryData:
    id: bytes = Uuid("0+")
    topics: tuple[RequestTopicData, ...] = Array(RequestTopicData, "0+")


@message(api_key=73, valid="0", flexible="0+", listeners="controller")
class AssignReplicasToDirsRequest:
    broker_id: int = Int32("0+")
    broker_epoch: int = Int64("0+", default=-1)
    directories: tuple[RequestDirectoryData, ...] = Array(RequestDirectoryData, "0+")


@struct(name="PartitionData")
class ResponsePartitionData:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")


@struct(name="TopicData")
class ResponseTopicData:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[ResponsePartitionData, ...] = Array(ResponsePartitionData, "0+")


@struct(name="DirectoryData")
class ResponseDirectoryData:
    id: bytes = Uuid("0+")
    topics: tuple[ResponseTopicData, ...] = Array(ResponseTopicData, "0+")


@message(api_key=73, valid="0", flexible="0+")
class AssignReplicasToDirsResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    directories: tuple[ResponseDirectoryData, ...] = Array(ResponseDirectoryData, "0+")
