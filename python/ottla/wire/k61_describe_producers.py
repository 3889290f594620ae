"""DescribeProducers (61): which producers are active on these partitions?

v0 (KIP-664)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, Name, String, message, struct


@struct
class TopicRequest:
    name: str = Name("0+")
    partition_indexes: tuple[int, ...] = Array(Int32(), "0+")


@message(api_key=61, valid="0", flexible="0+", listeners="broker")
class DescribeProducersRequest:
    topics: tuple[TopicRequest, ...] = Array(TopicRequest, "0+")


@struct
class ProducerState:
    producer_id: int = Int64("0+")
    producer_epoch: int = Int32("0+")
    last_sequence: int = Int32("0+", default=-1)
    last_timestamp: int = Int64("0+", default=-1)
    coordinator_epoch: int = Int32("0+")
    current_txn_start_offset: int = Int64("0+", default=-1)


@struct
class PartitionResponse:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    active_producers: tuple[ProducerState, ...] = Array(ProducerState, "0+")


@struct
class TopicResponse:
    name: str = Name("0+")
    partitions: tuple[PartitionResponse, ...] = Array(PartitionResponse, "0+")


@message(api_key=61, valid="0", flexible="0+")
class DescribeProducersResponse:
    throttle_time_ms: int = Int32("0+")
    topics: tuple[TopicResponse, ...] = Array(TopicResponse, "0+")
