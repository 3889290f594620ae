"""Control records as they lie in a control batch: the key says the type, the type says how the value is read.

The key is a version (int16, 0) and a type (int16). Markers of transactions have a version (int16) before their value.
Those of the quorum begin with a version of their own, which is the one they are read with. Types that are not known
are passed over by whoever reads, as Kafka does (classes ``ControlRecordType``, ``ControlRecordUtils``).
"""

from __future__ import annotations

import enum
from typing import Any, Final, NamedTuple

from ottla.records.control import (
    EndTxnMarker,
    KRaftVersionRecord,
    LeaderChangeMessage,
    SnapshotFooterRecord,
    SnapshotHeaderRecord,
    VotersRecord,
)
from ottla.wire.codec import WireError, decode, encode
from ottla.wire.schema import schema_of

KEY_VERSION: Final = 0


class ControlType(enum.IntEnum):
    """What a control record is."""

    ABORT = 0
    COMMIT = 1
    LEADER_CHANGE = 2
    SNAPSHOT_HEADER = 3
    SNAPSHOT_FOOTER = 4
    KRAFT_VERSION = 5
    KRAFT_VOTERS = 6


class ControlRecord(NamedTuple):
    """What a control record says: its value is ``None`` when its type is not known."""

    type: int
    value: Any


_MARKERS: Final = frozenset((ControlType.ABORT, ControlType.COMMIT))
_CLASSES: Final[dict[int, type[Any]]] = {
    ControlType.ABORT: EndTxnMarker,
    ControlType.COMMIT: EndTxnMarker,
    ControlType.LEADER_CHANGE: LeaderChangeMessage,
    ControlType.SNAPSHOT_HEADER: SnapshotHeaderRecord,
    ControlType.SNAPSHOT_FOOTER: SnapshotFooterRecord,
    ControlType.KRAFT_VERSION: KRaftVersionRecord,
    ControlType.KRAFT_VOTERS: VotersRecord,
}


def encode_control(record_type: ControlType, value: Any) -> tuple[bytes, bytes]:
    """The key and the value of a control record; one of the quorum is written in the version that it says."""
    assert type(value) is _CLASSES[record_type], f"{record_type.name} is not a {type(value).__name__}"
    key = KEY_VERSION.to_bytes(2) + record_type.to_bytes(2)
    if record_type in _MARKERS:
        return key, (0).to_bytes(2) + encode(value, 0)
    return key, encode(value, value.version)


def decode_control(key: bytes, value: bytes) -> ControlRecord:
    """Reads a control record. Raises ``WireError``.

    A version newer than is known is read as the newest that is: Kafka adds fields behind the known ones only.
    """
    if len(key) < 4:
        raise WireError(f"cannot decode the key of a control record: 4 bytes wanted, {len(key)} left (at byte 0)")
    if key[0] & 0x80:
        raise WireError("cannot decode the key of a control record: its version is below zero (at byte 0)")
    record_type = int.from_bytes(key[2:4], signed=True)
    cls = _CLASSES.get(record_type)
    if cls is None:
        return ControlRecord(record_type, None)
    version = int.from_bytes(value[:2], signed=True)
    if len(value) < 2 or version < 0:
        raise WireError(f"cannot decode {cls.__name__}: it has no version (at byte 0)")
    known = min(version, schema_of(cls).valid.stop - 1)
    return ControlRecord(record_type, decode(cls, known, value, 2 if record_type in _MARKERS else 0))
