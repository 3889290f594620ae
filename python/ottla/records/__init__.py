"""The records of the internal topics, of control batches and of files, as messages of the same machinery as the wire's.

A module per topic declares its records; ``framing.py`` says how they lie in the log. A log is named by its topic::

    encode_value("__cluster_metadata", TopicRecord(name="orders", topic_id=topic_id), 0)
    key = decode_key("__consumer_offsets", record.key)

Modules are imported at the first use of their topic.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from ottla.records.framing import CoordinatorFormat, FramedFormat, UnknownRecordError
from ottla.wire.codec import WireError

CONSUMER_OFFSETS: Final = "__consumer_offsets"
TRANSACTION_STATE: Final = "__transaction_state"
SHARE_GROUP_STATE: Final = "__share_group_state"
CLUSTER_METADATA: Final = "__cluster_metadata"
REMOTE_LOG_METADATA: Final = "__remote_log_metadata"

_COORDINATORS: Final = frozenset((CONSUMER_OFFSETS, TRANSACTION_STATE, SHARE_GROUP_STATE))
_formats: Final[dict[str, CoordinatorFormat | FramedFormat]] = {}


def coordinator_format(topic: str) -> CoordinatorFormat:
    """How the records of a coordinator's topic are written; for loops that do not want the look-up."""
    found = _format(topic)
    assert isinstance(found, CoordinatorFormat), f"{topic} has no keys"
    return found


def framed_format(topic: str) -> FramedFormat:
    """How the records of a topic without keys are written; for loops that do not want the look-up."""
    found = _format(topic)
    assert isinstance(found, FramedFormat), f"{topic} has keys"
    return found


def encode_key(topic: str, key: object) -> bytes:
    """The key of a coordinator's record, with the id of its type."""
    return coordinator_format(topic).encode_key(key)


def encode_value(topic: str, value: object, version: int) -> bytes:
    """The value of a record, with its version (and its type, where there are no keys)."""
    return _format(topic).encode_value(value, version)


def decode_key(topic: str, data: bytes) -> Any:
    """The key of a coordinator's record. Raises ``UnknownRecordError`` or ``WireError``."""
    return coordinator_format(topic).decode_key(data)


def decode_value(topic: str, data: bytes, key: object = None) -> Any:
    """The value of a record; a coordinator's needs the key that came with it.

    Raises ``UnknownRecordError`` or ``WireError``.
    """
    if key is None:
        return framed_format(topic).decode_value(data)[0]
    return coordinator_format(topic).decode_value(key, data)


def _format(topic: str) -> CoordinatorFormat | FramedFormat:
    found = _formats.get(topic)
    if found is None:
        module = import_module(f"ottla.records.{topic.lstrip('_')}")
        found = (CoordinatorFormat if topic in _COORDINATORS else FramedFormat)(topic, module)
        _formats[topic] = found
    return found


__all__ = [
    "CLUSTER_METADATA",
    "CONSUMER_OFFSETS",
    "REMOTE_LOG_METADATA",
    "SHARE_GROUP_STATE",
    "TRANSACTION_STATE",
    "CoordinatorFormat",
    "FramedFormat",
    "UnknownRecordError",
    "WireError",
    "coordinator_format",
    "decode_key",
    "decode_value",
    "encode_key",
    "encode_value",
    "framed_format",
]
