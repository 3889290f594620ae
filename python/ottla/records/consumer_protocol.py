"""The embedded protocol ``consumer`` of classic groups: opaque to the broker but for its tools.

A version (int16) comes first; whoever meets a newer version than it knows reads what it knows (KIP-429, KIP-792,
KIP-881).
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bytes, Int32, Name, String, message, struct


@struct(name="TopicPartition")
class SubscriptionTopicPartition:
    topic: str = Name("1+")
    partitions: tuple[int, ...] = Array(Int32(), "1+")


@message(valid="0-3", kind="data")
class ConsumerProtocolSubscription:
    """What a member of a classic consumer group subscribes to."""

    topics: tuple[str, ...] = Array(String(), "0+")
    user_data: bytes | None = Bytes("0+", default=None, nullable="0+")
    owned_partitions: tuple[SubscriptionTopicPartition, ...] = Array(SubscriptionTopicPartition, "1+", ignorable=True)
    generation_id: int = Int32("2+", default=-1, ignorable=True)
    rack_id: str | None = String("3+", default=None, nullable="3+", ignorable=True)


@struct(name="TopicPartition")
class AssignmentTopicPartition:
    topic: str = Name("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@message(valid="0-3", kind="data")
class ConsumerProtocolAssignment:
    """What a member of a classic consumer group is assigned."""

    assigned_partitions: tuple[AssignmentTopicPartition, ...] = Array(AssignmentTopicPartition, "0+")
    user_data: bytes | None = Bytes("0+", default=None, nullable="0+")
