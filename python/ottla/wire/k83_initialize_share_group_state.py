"""InitializeShareGroupState (83): the group coordinator begins the share state of partitions.

v0 (KIP-932). Served by the share coordinator.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, String, Uuid, message, struct


@struct
class PartitionData:
    partition: int = Int32("0+")
    state_epoch: int = Int32("0+")
    start_offset: int = Int64("0+")


@struct
class InitializeStateData:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[PartitionData, ...] = Array(PartitionData, "0+")


@message(api_key=83, valid="0", flexible="0+", listeners="broker")
class InitializeShareGroupStateRequest:
    group_id: str = String("0+")
    topics: tuple[InitializeStateData, ...] = Array(InitializeStateData, "0+")


@struct
class PartitionResult:
    partition: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")


@struct
class InitializeStateResult:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[PartitionResult, ...] = Array(PartitionResult, "0+")


@message(api_key=83, valid="0", flexible="0+")
class InitializeShareGroupStateResponse:
    results: tuple[InitializeStateResult, ...] = Array(InitializeStateResult, "0+")
