"""SyncGroup (14): the leader of a classic group hands out the assignment, and every member gets its share.

v1 throttle · v3 group.instance.id · v4 flexible · v5 protocol type + name both ways, mismatch =
INCONSISTENT_GROUP_PROTOCOL (KIP-559)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bytes, Int16, Int32, String, message, struct


@struct
class SyncGroupRequestAssignment:
    member_id: str = String("0+")
    assignment: bytes = Bytes("0+")


@message(api_key=14, valid="0-5", flexible="4+", listeners="broker")
class SyncGroupRequest:
    group_id: str = String("0+")
    generation_id: int = Int32("0+")
    member_id: str = String("0+")
    group_instance_id: str | None = String("3+", default=None, nullable="3+")
    protocol_type: str | None = String("5+", default=None, nullable="5+", ignorable=True)
    protocol_name: str | None = String("5+", default=None, nullable="5+", ignorable=True)
    assignments: tuple[SyncGroupRequestAssignment, ...] = Array(SyncGroupRequestAssignment, "0+")


@message(api_key=14, valid="0-5", flexible="4+")
class SyncGroupResponse:
    throttle_time_ms: int = Int32("1+", ignorable=True)
    error_code: int = Int16("0+")
    protocol_type: str | None = String("5+", default=None, nullable="5+", ignorable=True)
    protocol_name: str | None = String("5+", default=None, nullable="5+", ignorable=True)
    assignment: bytes = Bytes("0+")
