"""Control records: batches with attribute bit 5 set hold one of these instead of data.

The key is a version (int16, 0) and the type. Markers of transactions have a version (int16) before the value; the
records of the quorum begin with their own version, which is the one they are read with.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, String, Struct, Uint16, Uuid, message, struct


@message(valid="0", kind="data")
class ControlRecordTypeSchema:
    """The key of a control record, behind its version: which type it is."""

    type: int = Int16("0+")


@message(valid="0", kind="data")
class EndTxnMarker:
    """A transaction ends in this partition."""

    coordinator_epoch: int = Int32("0+")


@struct(name="Voter")
class LeaderChangeVoter:
    voter_id: int = Int32("0+")
    voter_directory_id: bytes = Uuid("1+")


@message(valid="0-1", flexible="0+", kind="data")
class LeaderChangeMessage:
    """An epoch of the quorum begins."""

    version: int = Int16("0+")
    leader_id: int = Int32("0+")
    voters: tuple[LeaderChangeVoter, ...] = Array(LeaderChangeVoter, "0+")
    granting_voters: tuple[LeaderChangeVoter, ...] = Array(LeaderChangeVoter, "0+")


@message(valid="0", flexible="0+", kind="data")
class SnapshotHeaderRecord:
    """A snapshot begins."""

    version: int = Int16("0+")
    last_contained_log_timestamp: int = Int64("0+")


@message(valid="0", flexible="0+", kind="data")
class SnapshotFooterRecord:
    """A snapshot is complete."""

    version: int = Int16("0+")


@message(valid="0", flexible="0+", kind="data")
class KRaftVersionRecord:
    """The quorum's kraft.version from here on."""

    version: int = Int16("0+")
    kraft_version: int = Int16("0+", name="KRaftVersion")


@struct
class Endpoint:
    name: str = String("0+")
    host: str = String("0+")
    port: int = Uint16("0+")


@struct
class KRaftVersionFeature:
    min_supported_version: int = Int16("0+")
    max_supported_version: int = Int16("0+")


@struct(name="Voter")
class QuorumVoter:
    voter_id: int = Int32("0+")
    voter_directory_id: bytes = Uuid("0+")
    endpoints: tuple[Endpoint, ...] = Array(Endpoint, "0+")
    kraft_version_feature: KRaftVersionFeature = Struct(KRaftVersionFeature, "0+", name="KRaftVersionFeature")


@message(valid="0", flexible="0+", kind="data")
class VotersRecord:
    """The voters of the quorum from here on."""

    version: int = Int16("0+")
    voters: tuple[QuorumVoter, ...] = Array(QuorumVoter, "0+")
