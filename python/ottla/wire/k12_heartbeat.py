"""Heartbeat (12): a member of a classic group is still there; is the group still stable?

v1 throttle · v3 group.instance.id · v4 flexible
"""

from __future__ import annotations

from ottla.wire.schema import Int16, Int32, String, message


@message(api_key=12, valid="0-4", flexible="4+", listeners="broker")
class HeartbeatRequest:
    group_id: str = String("0+")
    generation_id: int = Int32("0+")
    member_id: str = String("0+")
    group_instance_id: str | None = String("3+", default=None, nullable="3+")


@message(api_key=12, valid="0-4", flexible="4+")
class HeartbeatResponse:
    throttle_time_ms: int = Int32("1+", ignorable=True)
    error_code: int = Int16("0+")
