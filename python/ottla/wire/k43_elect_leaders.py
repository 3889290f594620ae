"""ElectLeaders (43): elect the preferred, or any, replica as leader.

v1 election type preferred/unclean (KIP-460), top-level error · v2 flexible

Null asks for all partitions.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, Name, String, message, struct


@struct
class TopicPartitions:
    topic: str = Name("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@message(api_key=43, valid="0-2", flexible="2+", listeners="broker,controller")
class ElectLeadersRequest:
    election_type: int = Int8("1+")
    topic_partitions: tuple[TopicPartitions, ...] | None = Array(TopicPartitions, "0+", nullable="0+")
    timeout_ms: int = Int32("0+", default=60000)


@struct
class PartitionResult:
    partition_id: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")


@struct
class ReplicaElectionResult:
    topic: str = Name("0+")
    partition_result: tuple[PartitionResult, ...] = Array(PartitionResult, "0+")


@message(api_key=43, valid="0-2", flexible="2+")
class ElectLeadersResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("1+")
    replica_election_results: tuple[ReplicaElectionResult, ...] = Array(ReplicaElectionResult, "0+")
