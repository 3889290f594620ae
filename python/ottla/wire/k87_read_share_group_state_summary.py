"""ReadShareGroupStateSummary (87): the start offset and epoch of share partitions, without their batches.

v0 (KIP-932) · v1 delivery complete count (KIP-1226)

Served by the share coordinator.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, String, Uuid, message, struct


@struct
class PartitionData:
    partition: int = Int32("0+")
    leader_epoch: int = Int32("0+")


@struct
class ReadStateSummaryData:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[PartitionData, ...] = Array(PartitionData, "0+")


@message(api_key=87, valid="0-1", flexible="0+", listeners="broker")
class ReadShareGroupStateSummaryRequest:
    group_id: str = String("0+")
    topics: tuple[ReadStateSummaryData, ...] = Array(ReadStateSummaryData, "0+")


@struct
class PartitionResult:
    partition: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    state_epoch: int = Int32("0+")
    leader_epoch: int = Int32("0+")
    start_offset: int = Int64("0+")
    delivery_complete_count: int = Int32("1+", default=-1, ignorable=True)


@struct
class ReadStateSummaryResult:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[PartitionResult, ...] = Array(PartitionResult, "0+")


@message(api_key=87, valid="0-1", flexible="0+")
class ReadShareGroupStateSummaryResponse:
    results: tuple[ReadStateSummaryResult, ...] = Array(ReadStateSummaryResult, "0+")
