"""ListPartitionReassignments (46): which partitions are being moved?

v0 flexible from the start (KIP-455). Brokers forward it to the controller.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Name, String, message, struct


@struct
class ListPartitionReassignmentsTopics:
    name: str = Name("0+")
    partition_indexes: tuple[int, ...] = Array(Int32(), "0+")


@message(api_key=46, valid="0", flexible="0+", listeners="broker,controller")
class ListPartitionReassignmentsRequest:
    timeout_ms: int = Int32("0+", default=60000)
    topics: tuple[ListPartitionReassignmentsTopics, ...] | None = Array(
        ListPartitionReassignmentsTopics, "0+", default=None, nullable="0+"
    )


@struct
class OngoingPartitionReassignment:
    partition_index: int = Int32("0+")
    replicas: tuple[int, ...] = Array(Int32(), "0+")
    adding_replicas: tuple[int, ...] = Array(Int32(), "0+")
    removing_replicas: tuple[int, ...] = Array(Int32(), "0+")


@struct
class OngoingTopicReassignment:
    name: str = Name("0+")
    partitions: tuple[OngoingPartitionReassignment, ...] = Array(OngoingPartitionReassignment, "0+")


@message(api_key=46, valid="0", flexible="0+")
class ListPartitionReassignmentsResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")
    topics: tuple[OngoingTopicReassignment, ...] = Array(OngoingTopicReassignment, "0+")
