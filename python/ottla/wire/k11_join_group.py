"""JoinGroup (11): become a member of a classic group, or stay one through a rebalance.

v1 rebalance timeout · v2 throttle · v4 MEMBER_ID_REQUIRED round · v5 group.instance.id (KIP-345) · v6 flexible ·
v7 protocol type in answer (KIP-559) · v8 reason (KIP-800) · v9 skip assignment (KIP-814)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Bytes, Int16, Int32, String, message, struct


@struct
class JoinGroupRequestProtocol:
    name: str = String("0+")
    metadata: bytes = Bytes("0+")


@message(api_key=11, valid="0-9", flexible="6+", listeners="broker")
class JoinGroupRequest:
    group_id: str = String("0+")
    session_timeout_ms: int = Int32("0+")
    rebalance_timeout_ms: int = Int32("1+", default=-1, ignorable=True)
    member_id: str = String("0+")
    group_instance_id: str | None = String("5+", default=None, nullable="5+")
    protocol_type: str = String("0+")
    protocols: tuple[JoinGroupRequestProtocol, ...] = Array(JoinGroupRequestProtocol, "0+")
    reason: str | None = String("8+", default=None, nullable="8+", ignorable=True)


@struct
class JoinGroupResponseMember:
    member_id: str = String("0+")
    group_instance_id: str | None = String("5+", default=None, nullable="5+", ignorable=True)
    metadata: bytes = Bytes("0+")


@message(api_key=11, valid="0-9", flexible="6+")
class JoinGroupResponse:
    throttle_time_ms: int = Int32("2+", ignorable=True)
    error_code: int = Int16("0+")
    generation_id: int = Int32("0+", default=-1)
    protocol_type: str | None = String("7+", default=None, nullable="7+", ignorable=True)
    protocol_name: str | None = String("0+", nullable="7+")
    leader: str = String("0+")
    skip_assignment: bool = Bool("9+")
    member_id: str = String("0+")
    members: tuple[JoinGroupResponseMember, ...] = Array(JoinGroupResponseMember, "0+")
