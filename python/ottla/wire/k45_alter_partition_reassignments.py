"""AlterPartitionReassignments (45): move partitions to other brokers, or cancel such a move.

v1 flag to forbid replication factor change (KIP-860)

Null replicas cancel a move.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, Name, String, message, struct


@struct
class ReassignablePartition:
    partition_index: int = Int32("0+")
    replicas: tuple[int, ...] | None = Array(Int32(), "0+", default=None, nullable="0+")


@struct
class ReassignableTopic:
    name: str = Name("0+")
    partitions: tuple[ReassignablePartition, ...] = Array(ReassignablePartition, "0+")


@message(api_key=45, valid="0-1", flexible="0+", listeners="broker,controller")
class AlterPartitionReassignmentsRequest:
    timeout_ms: int = Int32("0+", default=60000)
    allow_replication_factor_change: bool = Bool("1+", default=True)
    topics: tuple[ReassignableTopic, ...] = Array(ReassignableTopic, "0+")


@struct
class ReassignablePartitionResponse:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")


@struct
class ReassignableTopicResponse:
    name: str = Name("0+")
    partitions: tuple[ReassignablePartitionResponse, ...] = Array(ReassignablePartitionResponse, "0+")


@message(api_key=45, valid="0-1", flexible="0+")
class AlterPartitionReassignmentsResponse:
    throttle_time_ms: int = Int32("0+")
    allow_replication_factor_change: bool = Bool("1+", default=True, ignorable=True)
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")
    responses: tuple[ReassignableTopicResponse, ...] = Array(ReassignableTopicResponse, "0+")
