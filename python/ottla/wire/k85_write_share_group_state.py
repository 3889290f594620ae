"""WriteShareGroupState (85): a share partition's leader writes its state.

v0 (KIP-932) · v1 delivery complete count (KIP-1226)

Served by the share coordinator.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, Int64, String, Uuid, message, struct


@struct
class StateBatch:
    first_offset: int = Int64("0+")
    last_offset: int = Int64("0+")
    delivery_state: int = Int8("0+")
    delivery_count: int = Int16("0+")


@struct
class PartitionData:
    partition: int = Int32("0+")
    state_epoch: int = Int32("0+")
    leader_epoch: int = Int32("0+")
    start_offset: int = Int64("0+")
    delivery_complete_count: int = Int32("1+", default=-1, ignorable=True)
    state_batches: tuple[StateBatch, ...] = Array(StateBatch, "0+")


@struct
class WriteStateData:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[PartitionData, ...] = Array(PartitionData, "0+")


@message(api_key=85, valid="0-1", flexible="0+", listeners="broker")
class WriteShareGroupStateRequest:
    group_id: str = String("0+")
    topics: tuple[WriteStateData, ...] = Array(WriteStateData, "0+")


@struct
class PartitionResult:
    partition: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")


@struct
class WriteStateResult:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[PartitionResult, ...] = Array(PartitionResult, "0+")


@message(api_key=85, valid="0-1", flexible="0+")
class WriteShareGroupStateResponse:
    results: tuple[WriteStateResult, ...] = Array(WriteStateResult, "0+")
