"""RemoveRaftVoter (81): remove a voter from the quorum.

v0 (KIP-853)
"""

from __future__ import annotations

from ottla.wire.schema import Int16, Int32, String, Uuid, message


@message(api_key=81, valid="0", flexible="0+", listeners="controller,broker")
class RemoveRaftVoterRequest:
    cluster_id: str | None = String("0+", nullable="0+")
    voter_id: int = Int32("0+")
    voter_directory_id: bytes = Uuid("0+")


@message(api_key=81, valid="0", flexible="0+")
class RemoveRaftVoterResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+", ignorable=True)
