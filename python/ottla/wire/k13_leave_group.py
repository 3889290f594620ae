"""LeaveGroup (13): members leave a classic group.

v1 throttle · v3 batch of (member, instance) identities · v4 flexible · v5 reason
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, String, message, struct


@struct
class MemberIdentity:
    member_id: str = String("3+")
    group_instance_id: str | None = String("3+", default=None, nullable="3+")
    reason: str | None = String("5+", default=None, nullable="5+", ignorable=True)


@message(api_key=13, valid="0-5", flexible="4+", listeners="broker")
class LeaveGroupRequest:
    group_id: str = String("0+")
    member_id: str = String("0-2")
    members: tuple[MemberIdentity, ...] = Array(MemberIdentity, "3+")


@struct
class MemberResponse:
    member_id: str = String("3+")
    group_instance_id: str | None = String("3+", nullable="3+")
    error_code: int = Int16("3+")


@message(api_key=13, valid="0-5", flexible="4+")
class LeaveGroupResponse:
    throttle_time_ms: int = Int32("1+", ignorable=True)
    error_code: int = Int16("0+")
    members: tuple[MemberResponse, ...] = Array(MemberResponse, "3+")
