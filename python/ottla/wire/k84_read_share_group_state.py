"""ReadShareGroupState (84): a share partition's leader reads its state.

v0 (KIP-932). Served by the share coordinator.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, Int64, String, Uuid, message, struct


@struct
class PartitionData:
    partition: int = Int32("0+")
    leader_epoch: int = Int32("0+")


@struct
class ReadStateData:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[PartitionData, ...] = Array(PartitionData, "0+")


@message(api_key=84, valid="0", flexible="0+", listeners="broker")
class ReadShareGroupStateRequest:
    group_id: str = String("0+")
    topics: tuple[ReadStateData, ...] = Array(ReadStateData, "0+")


@struct
class StateBatch:
    first_offset: int = Int64("0+")
    last_offset: int = Int64("0+")
    delivery_state: int = Int8("0+")
    delivery_count: int = Int16("0+")


@struct
class PartitionResult:
    partition: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    state_epoch: int = Int32("0+")
    start_offset: int = Int64("0+")
    state_batches: tuple[StateBatch, ...] = Array(StateBatch, "0+")


@struct
class ReadStateResult:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[PartitionResult, ...] = Array(PartitionResult, "0+")


@message(api_key=84, valid="0", flexible="0+")
class ReadShareGroupStateResponse:
    results: tuple[ReadStateResult, ...] = Array(ReadStateResult, "0+")
