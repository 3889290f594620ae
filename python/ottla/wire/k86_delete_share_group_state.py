"""DeleteShareGroupState (86): the group coordinator ends the share state of partitions.

v0 (KIP-932). Served by the share coordinator.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, String, Uuid, message, struct


@struct
class PartitionData:
    partition: int = Int32("0+")


@struct
class DeleteStateData:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[PartitionData, ...] = Array(PartitionData, "0+")


@message(api_key=86, valid="0", flexible="0+", listeners="broker")
class DeleteShareGroupStateRequest:
    group_id: str = String("0+")
    topics: tuple[DeleteStateData, ...] = Array(DeleteStateData, "0+")


@struct
class PartitionResult:
    partition: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")


@struct
class DeleteStateResult:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[PartitionResult, ...] = Array(PartitionResult, "0+")


@message(api_key=86, valid="0", flexible="0+")
class DeleteShareGroupStateResponse:
    results: tuple[DeleteStateResult, ...] = Array(DeleteStateResult, "0+")
