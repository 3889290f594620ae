"""Records of internal topics and control records, as plain values that can be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from ottla.ids import uuid_text
from ottla.records import (
    CLUSTER_METADATA,
    CONSUMER_OFFSETS,
    REMOTE_LOG_METADATA,
    SHARE_GROUP_STATE,
    TRANSACTION_STATE,
    UnknownRecordError,
    coordinator_format,
    framed_format,
)
from ottla.records import control as control_records
from ottla.wire.codec import WireError, decode
from ottla.wire.schema import Kind, Message, fields_of

if TYPE_CHECKING:
    from ottla._core import Record

_COORDINATORS: Final = (CONSUMER_OFFSETS, TRANSACTION_STATE, SHARE_GROUP_STATE)
_FRAMED: Final = (CLUSTER_METADATA, REMOTE_LOG_METADATA)

_CONTROL: Final = {
    0: ("ABORT", control_records.EndTxnMarker),
    1: ("COMMIT", control_records.EndTxnMarker),
    2: ("LEADER_CHANGE", control_records.LeaderChangeMessage),
    3: ("SNAPSHOT_HEADER", control_records.SnapshotHeaderRecord),
    4: ("SNAPSHOT_FOOTER", control_records.SnapshotFooterRecord),
    5: ("KRAFT_VERSION", control_records.KRaftVersionRecord),
    6: ("KRAFT_VOTERS", control_records.VotersRecord),
}
"""Of a control record's type: its name and what its value is."""


@final
class Decoded(NamedTuple):
    """A record with its parts as bytes, or as mappings where they have a meaning."""

    type: str | None
    key: object
    value: object


def has_meaning(topic: str | None) -> bool:
    """Are the records of this topic those of the cluster itself?"""
    return topic in _COORDINATORS or topic in _FRAMED


def decode_record(topic: str | None, control: bool, record: Record) -> Decoded:
    """Raises `UnknownRecordError` or `WireError` for bytes that are no record of the topic."""
    if control:
        return _control(record)
    if topic in _COORDINATORS and record.key is not None:
        format_ = coordinator_format(topic)
        key = format_.decode_key(record.key)
        value = None if record.value is None else plain(format_.decode_value(key, record.value))
        return Decoded(type(key).__name__.removesuffix("Key"), plain(key), value)
    if topic in _FRAMED and record.value is not None:
        message, version = framed_format(topic).decode_value(record.value)
        return Decoded(f"{type(message).__name__} v{version}", record.key, plain(message))
    return Decoded(None, record.key, record.value)


def _control(record: Record) -> Decoded:
    key = record.key or b""
    if len(key) < 4:
        raise WireError(f"the key of a control record has 4 bytes, this one {len(key)}")
    number = int.from_bytes(key[2:4], signed=True)
    found = _CONTROL.get(number)
    if found is None:
        raise UnknownRecordError(f"there is no control record of type {number}")
    name, cls = found
    value = record.value or b""
    # A marker has its version before it, the records of the quorum begin with theirs.
    version = int.from_bytes(value[:2], signed=True)
    message: Message = decode(cls, version, value, 2 if cls is control_records.EndTxnMarker else 0)
    return Decoded(name, None, plain(message))


def plain(message: Message) -> dict[str, Any]:
    """The fields that differ from their defaults; uuids as text."""
    facts: dict[str, Any] = {}
    for field in fields_of(message):
        value = getattr(message, field.attribute)
        if value != field.default:
            many = field.array and value is not None
            facts[field.attribute] = [_plain(field.kind, v) for v in value] if many else _plain(field.kind, value)
    return facts


def _plain(kind: Kind, value: Any) -> Any:
    if kind is Kind.UUID and value is not None:
        return uuid_text(value)
    return plain(value) if isinstance(value, Message) else value
