"""How the records of groups lie in ``__consumer_offsets``, in the versions that Kafka 4.4 writes.

Groups that are not coordinated here (share, streams) have records in the same topic: they are unknown to us, and stay
where they are.

Offsets are records as bytes (``Record`` with a key of bytes): whoever emits them has made the bytes, and the table that
applies them reads those.
"""

from __future__ import annotations

from typing import Final, final

from ottla.coordinator.machine import Record
from ottla.records import CONSUMER_OFFSETS, UnknownRecordError, coordinator_format
from ottla.records.consumer_offsets import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMetadataKey,
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMetadataKey,
    GroupMetadataKey,
    GroupMetadataValue,
    LegacyOffsetCommitKey,
    OffsetCommitKey,
)

__all__ = ["CLASSIC_KEYS", "CONSUMER_KEYS", "OFFSET_KEYS", "GroupRecords"]

OFFSET_KEYS: Final = (OffsetCommitKey, LegacyOffsetCommitKey)
CLASSIC_KEYS: Final = (GroupMetadataKey,)
CONSUMER_KEYS: Final = (
    ConsumerGroupMetadataKey,
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupRegularExpressionKey,
)
_OURS: Final = frozenset((*OFFSET_KEYS, *CLASSIC_KEYS, *CONSUMER_KEYS))

_GROUP_VERSION: Final = 3


@final
class GroupRecords:
    """``RecordCodec`` of ``ottla.coordinator``."""

    __slots__ = ("_format",)

    def __init__(self) -> None:
        self._format = coordinator_format(CONSUMER_OFFSETS)

    def encode(self, record: Record) -> tuple[bytes, bytes | None]:
        key, value = record
        if type(key) is bytes:
            assert value is None or isinstance(value, bytes)
            return key, value
        encoded = None if value is None else self._format.encode_value(value, _version(value))
        return self._format.encode_key(key), encoded

    def decode(self, key: bytes, value: bytes | None) -> Record:
        decoded = self._format.decode_key(key)
        if type(decoded) not in _OURS:
            raise UnknownRecordError(f"{type(decoded).__name__}: no such groups are coordinated here")
        message = None if value is None else self._format.decode_value(decoded, value)
        # Those of offsets were read to see that they can be.
        return Record(key, value) if type(decoded) in OFFSET_KEYS else Record(decoded, message)


def _version(value: object) -> int:
    """``GroupCoordinatorRecordHelpers``"""
    return _GROUP_VERSION if isinstance(value, GroupMetadataValue) else 0
