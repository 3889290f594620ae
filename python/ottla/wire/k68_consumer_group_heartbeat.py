"""ConsumerGroupHeartbeat (68): a member of a consumer group says what it owns and hears what it should own.

v1 subscribed regex, member makes its own id (KIP-1082)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Name, String, Struct, Uuid, message, struct


@struct
class TopicPartitions:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@message(api_key=68, valid="0-1", flexible="0+", listeners="broker")
class ConsumerGroupHeartbeatRequest:
    group_id: str = String("0+")
    member_id: str = String("0+")
    member_epoch: int = Int32("0+")
    instance_id: str | None = String("0+", default=None, nullable="0+")
    rack_id: str | None = String("0+", default=None, nullable="0+")
    rebalance_timeout_ms: int = Int32("0+", default=-1)
    subscribed_topic_names: tuple[str, ...] | None = Array(Name(), "0+", default=None, nullable="0+")
    subscribed_topic_regex: str | None = String("1+", default=None, nullable="1+")
    server_assignor: str | None = String("0+", default=None, nullable="0+")
    topic_partitions: tuple[TopicPartitions, ...] | None = Array(TopicPartitions, "0+", default=None, nullable="0+")


@struct
class Assignment:
    topic_partitions: tuple[TopicPartitions, ...] = Array(TopicPartitions, "0+")


@message(api_key=68, valid="0-1", flexible="0+")
class ConsumerGroupHeartbeatResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    member_id: str | None = String("0+", default=None, nullable="0+")
    member_epoch: int = Int32("0+")
    heartbeat_interval_ms: int = Int32("0+")
    assignment: Assignment | None = Struct(Assignment, "0+", default=None, nullable="0+")
