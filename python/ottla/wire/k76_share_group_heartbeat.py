"""ShareGroupHeartbeat (76): a member of a share group says that it lives and hears what it should read.

v1 first stable; v0 was early access (KIP-932)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Name, String, Struct, Uuid, message, struct


@message(api_key=76, valid="1", flexible="0+", listeners="broker")
class ShareGroupHeartbeatRequest:
    group_id: str = String("0+")
    member_id: str = String("0+")
    member_epoch: int = Int32("0+")
    rack_id: str | None = String("0+", default=None, nullable="0+")
    subscribed_topic_names: tuple[str, ...] | None = Array(Name(), "0+", default=None, nullable="0+")


@struct
class TopicPartitions:
    topic_id: bytes = Uuid("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@struct
class Assignment:
    topic_partitions: tuple[TopicPartitions, ...] = Array(TopicPartitions, "0+")


@message(api_key=76, valid="1", flexible="0+")
class ShareGroupHeartbeatResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    member_id: str | None = String("0+", default=None, nullable="0+")
    member_epoch: int = Int32("0+")
    heartbeat_interval_ms: int = Int32("0+")
    assignment: Assignment | None = Struct(Assignment, "0+", default=None, nullable="0+")
