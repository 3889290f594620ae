"""Control records of the metadata log: what raft itself keeps there, between the records of the cluster.

Prior art: Kafka's ``ControlRecordUtils``. The key is an int16 version 0 and an int16 type; the value is a message that
begins with its own version. Types that are not known are passed over, as Kafka does.
"""

from __future__ import annotations

import enum
from typing import Final

from ottla.ids import Uuid
from ottla.raft.voters import ReplicaKey, Voter, VoterEndpoint, VoterSet
from ottla.records.control import (
    Endpoint,
    KRaftVersionFeature,
    KRaftVersionRecord,
    LeaderChangeMessage,
    LeaderChangeVoter,
    QuorumVoter,
    SnapshotFooterRecord,
    SnapshotHeaderRecord,
    VotersRecord,
)
from ottla.wire.codec import decode, encode

__all__ = [
    "ControlType",
    "control_type",
    "decode_kraft_version",
    "decode_snapshot_timestamp",
    "decode_voters",
    "kraft_version",
    "leader_change",
    "snapshot_footer",
    "snapshot_header",
    "voters",
]

KeyValue = tuple[bytes | None, bytes | None]


class ControlType(enum.IntEnum):
    """``ControlRecordType``: the type in the key."""

    LEADER_CHANGE = 2
    SNAPSHOT_HEADER = 3
    SNAPSHOT_FOOTER = 4
    KRAFT_VERSION = 5
    KRAFT_VOTERS = 6


_TYPES: Final = {control.value: control for control in ControlType}


def control_type(key: bytes | None) -> ControlType | None:
    """The type that a control record's key names; None when it is not one of the quorum's."""
    if key is None or len(key) < 4:
        return None
    return _TYPES.get(int.from_bytes(key[2:4], "big", signed=True))


def leader_change(leader_id: int, voter_ids: tuple[int, ...], granting_ids: tuple[int, ...]) -> KeyValue:
    """The first record of an epoch. Version 0 whatever the kraft.version, as Kafka 4.4 writes it."""
    message = LeaderChangeMessage(
        version=0,
        leader_id=leader_id,
        voters=tuple(LeaderChangeVoter(voter_id=voter_id) for voter_id in voter_ids),
        granting_voters=tuple(LeaderChangeVoter(voter_id=voter_id) for voter_id in granting_ids),
    )
    return _key(ControlType.LEADER_CHANGE), encode(message, 0)


def kraft_version(level: int) -> KeyValue:
    """From here on the quorum is of this kraft.version."""
    return _key(ControlType.KRAFT_VERSION), encode(KRaftVersionRecord(version=0, kraft_version=level), 0)


def voters(voter_set: VoterSet) -> KeyValue:
    """From here on these are the voters."""
    message = VotersRecord(
        version=0,
        voters=tuple(
            QuorumVoter(
                voter_id=voter.key.node_id,
                voter_directory_id=voter.key.directory_id,
                endpoints=tuple(Endpoint(name=e.listener, host=e.host, port=e.port) for e in voter.endpoints),
                kraft_version_feature=KRaftVersionFeature(
                    min_supported_version=voter.kraft_version_min, max_supported_version=voter.kraft_version_max
                ),
            )
            for voter in voter_set
        ),
    )
    return _key(ControlType.KRAFT_VOTERS), encode(message, 0)


def snapshot_header(last_contained_timestamp_ms: int) -> KeyValue:
    """The first record of a snapshot."""
    message = SnapshotHeaderRecord(version=0, last_contained_log_timestamp=last_contained_timestamp_ms)
    return _key(ControlType.SNAPSHOT_HEADER), encode(message, 0)


def snapshot_footer() -> KeyValue:
    """The last record of a snapshot."""
    return _key(ControlType.SNAPSHOT_FOOTER), encode(SnapshotFooterRecord(version=0), 0)


def decode_kraft_version(value: bytes) -> int:
    """The level in a KRAFT_VERSION record."""
    level: int = decode(KRaftVersionRecord, 0, value).kraft_version
    return level


def decode_snapshot_timestamp(value: bytes) -> int:
    """Timestamp of the last record in the log that the snapshot contains, from its header."""
    timestamp_ms: int = decode(SnapshotHeaderRecord, 0, value).last_contained_log_timestamp
    return timestamp_ms


def decode_voters(value: bytes) -> VoterSet:
    """The set in a KRAFT_VOTERS record."""
    message = decode(VotersRecord, 0, value)
    return VoterSet(
        Voter(
            ReplicaKey(voter.voter_id, Uuid(voter.voter_directory_id)),
            tuple(VoterEndpoint(e.name, e.host, e.port) for e in voter.endpoints),
            voter.kraft_version_feature.min_supported_version,
            voter.kraft_version_feature.max_supported_version,
        )
        for voter in message.voters
    )


def _key(control: ControlType) -> bytes:
    return b"\0\0" + control.to_bytes(2, "big")
