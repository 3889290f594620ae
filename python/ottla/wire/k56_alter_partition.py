"""AlterPartition (56): the leader of a partition asks the controller to change the ISR.

v2 topic ids · v3 ISR with broker epochs (KIP-903)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, Int64, Uuid, message, struct


@struct
class BrokerState:
    broker_id: int = Int32("3+")
    broker_epoch: int = Int64("3+", default=-1)


@struct(name="PartitionData")
class RequestPartitionData:
    partition_index: int = Int32("0+")
    leader_epoch: int = Int32("0+")
    new_isr: tuple[int, ...] = Array(Int32(), "0-2")
    new_isr_with_epochs: tuple[BrokerState, ...] = Array(BrokerState, "3+")
    leader_recovery_state: int = Int8("1+")
    partition_epoch: int = Int32("0+")


@struct(name="TopicData")
class RequestTopicData:
    topic_id: bytes = Uuid("2+", ignorable=True)
    partitions: tuple[RequestPartitionData, ...] = Array(RequestPartitionData, "0+")


@message(api_key=56, valid="2-3", flexible="0+", listeners="controller")
class AlterPartitionRequest:
    broker_id: int = Int32("0+")
    broker_epoch: int = Int64("0+", default=-1)
    topics: tuple[RequestTopicData, ...] = Array(RequestTopicData, "0+")


@struct(name="PartitionData")
class ResponsePartitionData:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")
    leader_id: int = Int32("0+")
    leader_epoch: int = Int32("0+")
    isr: tuple[int, ...] = Array(Int32(), "0+")
    leader_recovery_state: int = Int8("1+", ignorable=True)
    partition_epoch: int = Int32("0+")


@struct(name="TopicData")
class ResponseTopicData:
    topic_id: bytes = Uuid("2+", ignorable=True)
    partitions: tuple[ResponsePartitionData, ...] = Array(ResponsePartitionData, "0+")


@message(api_key=56, valid="2-3", flexible="0+")
class AlterPartitionResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    topics: tuple[ResponseTopicData, ...] = Array(ResponseTopicData, "0+")
