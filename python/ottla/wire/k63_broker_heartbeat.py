"""BrokerHeartbeat (63): a broker tells the controller that it lives, and asks whether it is fenced.

v1 offline log dirs · v2 cordoned log dirs
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, Int64, Uuid, message


@message(api_key=63, valid="0-2", flexible="0+", listeners="controller")
class BrokerHeartbeatRequest:
    broker_id: int = Int32("0+")
    broker_epoch: int = Int64("0+", default=-1)
    current_metadata_offset: int = Int64("0+")
    want_fence: bool = Bool("0+")
    want_shut_down: bool = Bool("0+")
    offline_log_dirs: tuple[bytes, ...] = Array(Uuid(), "1+", tag=0, tagged="1+")
    cordoned_log_dirs: tuple[bytes, ...] | None = Array(Uuid(), "2+", default=None, nullable="2+", tag=1, tagged="2+")


@message(api_key=63, valid="0-2", flexible="0+")
class BrokerHeartbeatResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    is_caught_up: bool = Bool("0+")
    is_fenced: bool = Bool("0+", default=True)
    should_shut_down: bool = Bool("0+")
