"""One committed offset, and the bytes that it is kept as.

A broker may hold millions. As an object each would be a hundred and fifty bytes that the garbage collector walks again
and again; as bytes it is eighty, and the collector never sees it.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple, final

from ottla.ids import ZERO_TOPIC_ID
from ottla.records.consumer_offsets import OffsetCommitValue

__all__ = ["CommittedOffset", "commit_timestamp_ms", "pack", "topic_id_of", "unpack"]

NO_EXPIRY: Final = -1
_FIXED: Final = Struct("<qqi16s")
_EXPIRY: Final = Struct("<q")
_COMMITTED_AT: Final = Struct("<8xq20x")


@final
class CommittedOffset(NamedTuple):
    """How far a group has read a partition."""

    offset: int
    leader_epoch: int = -1
    metadata: str = ""
    commit_timestamp_ms: int = -1
    expire_timestamp_ms: int = NO_EXPIRY
    """When it expires whatever the group does: what OffsetCommit before version 5 could ask for."""
    topic_id: bytes = ZERO_TOPIC_ID
    """Zero when it was not known."""


def pack(value: OffsetCommitValue) -> bytes:
    """The bytes that an offset is kept as: 36, and more where it has metadata or an expiry of its own."""
    fixed = _FIXED.pack(value.offset, value.commit_timestamp, value.leader_epoch, value.topic_id)
    if value.metadata or value.expire_timestamp != NO_EXPIRY:
        return fixed + _EXPIRY.pack(value.expire_timestamp) + value.metadata.encode()
    return fixed


def unpack(packed: bytes) -> CommittedOffset:
    offset, commit_timestamp_ms, leader_epoch, topic_id = _FIXED.unpack_from(packed)
    if len(packed) == _FIXED.size:
        return CommittedOffset(offset, leader_epoch, "", commit_timestamp_ms, NO_EXPIRY, topic_id)
    metadata = packed[_FIXED.size + _EXPIRY.size :].decode()
    return CommittedOffset(offset, leader_epoch, metadata, commit_timestamp_ms, expire_timestamp_ms(packed), topic_id)


def commit_timestamp_ms(packed: bytes) -> int:
    at: int = _COMMITTED_AT.unpack_from(packed)[0]
    return at


def expire_timestamp_ms(packed: bytes) -> int:
    if len(packed) == _FIXED.size:
        return NO_EXPIRY
    at: int = _EXPIRY.unpack_from(packed, _FIXED.size)[0]
    return at


def topic_id_of(packed: bytes) -> bytes:
    return packed[20:36]
