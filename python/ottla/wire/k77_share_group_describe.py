"""ShareGroupDescribe (77): the state, the members and the assignments of share groups.

v1 first stable (KIP-932)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, Name, String, Struct, Uuid, message, struct


@message(api_key=77, valid="1", flexible="0+", listeners="broker")
class ShareGroupDescribeRequest:
    group_ids: tuple[str, ...] = Array(String(), "0+")
    include_authorized_operations: bool = Bool("0+")


@struct
class TopicPartitions:
    topic_id: bytes = Uuid("0+")
    topic_name: str = Name("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@struct
class Assignment:
    topic_partitions: tuple[TopicPartitions, ...] = Array(TopicPartitions, "0+")


@struct
class Member:
    member_id: str = String("0+")
    rack_id: str | None = String("0+", default=None, nullable="0+")
    member_epoch: int = Int32("0+")
    client_id: str = String("0+")
    client_host: str = String("0+")
    subscribed_topic_names: tuple[str, ...] = Array(Name(), "0+")
    assignment: Assignment = Struct(Assignment, "0+")


@struct
class DescribedGroup:
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    group_id: str = String("0+")
    group_state: str = String("0+")
    group_epoch: int = Int32("0+")
    assignment_epoch: int = Int32("0+")
    assignor_name: str = String("0+")
    members: tuple[Member, ...] = Array(Member, "0+")
    authorized_operations: int = Int32("0+", default=-2147483648)


@message(api_key=77, valid="1", flexible="0+")
class ShareGroupDescribeResponse:
    throttle_time_ms: int = Int32("0+")
    groups: tuple[DescribedGroup, ...] = Array(DescribedGroup, "0+")
