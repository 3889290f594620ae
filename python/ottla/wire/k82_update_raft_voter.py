"""UpdateRaftVoter (82): a voter of the quorum says where it is reached and which kraft.version it knows.

v0 (KIP-853). Sent by a voter as it starts.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, String, Struct, Uint16, Uuid, message, struct


@struct
class Listener:
    name: str = String("0+")
    host: str = String("0+")
    port: int = Uint16("0+")


@struct
class KRaftVersionFeature:
    min_supported_version: int = Int16("0+")
    max_supported_version: int = Int16("0+")


@message(api_key=82, valid="0", flexible="0+", listeners="controller")
class UpdateRaftVoterRequest:
    cluster_id: str | None = String("0+", nullable="0+")
    current_leader_epoch: int = Int32("0+")
    voter_id: int = Int32("0+")
    voter_directory_id: bytes = Uuid("0+")
    listeners: tuple[Listener, ...] = Array(Listener, "0+")
    kraft_version_feature: KRaftVersionFeature = Struct(KRaftVersionFeature, "0+", name="KRaftVersionFeature")


@struct
class CurrentLeader:
    leader_id: int = Int32("0+", default=-1)
    leader_epoch: int = Int32("0+", default=-1)
    host: str = String("0+")
    port: int = Int32("0+")


@message(api_key=82, valid="0", flexible="0+")
class UpdateRaftVoterResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    current_leader: CurrentLeader = Struct(CurrentLeader, "0+", tag=0, tagged="0+")
