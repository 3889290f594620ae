"""AddRaftVoter (80): add a voter to the quorum.

v0 (KIP-853) · v1 answer once committed
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, String, Uint16, Uuid, message, struct


@struct
class Listener:
    name: str = String("0+")
    host: str = String("0+")
    port: int = Uint16("0+")


@message(api_key=80, valid="0-1", flexible="0+", listeners="controller,broker")
class AddRaftVoterRequest:
    cluster_id: str | None = String("0+", nullable="0+")
    timeout_ms: int = Int32("0+")
    voter_id: int = Int32("0+")
    voter_directory_id: bytes = Uuid("0+")
    listeners: tuple[Listener, ...] = Array(Listener, "0+")
    ack_when_committed: bool = Bool("1+", default=True)


@message(api_key=80, valid="0-1", flexible="0+")
class AddRaftVoterResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+", ignorable=True)
