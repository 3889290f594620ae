"""Newtypes for the numbers and names that can be confused, and Kafka's uuid as sixteen bytes.

Prior art: Redpanda's ``src/v/model/fundamental.h``; Kafka's ``org.apache.kafka.common.Uuid``. Ours keeps a uuid as
plain ``bytes`` of length 16, as it is on the wire, because making a ``uuid.UUID`` costs more than decoding the field.
Text form is Kafka's: base64url without padding, 22 characters.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Final, NewType

BrokerId = NewType("BrokerId", int)
BrokerEpoch = NewType("BrokerEpoch", int)
"""Offset of the record that registered the broker."""
Offset = NewType("Offset", int)
LeaderEpoch = NewType("LeaderEpoch", int)
PartitionEpoch = NewType("PartitionEpoch", int)
RaftEpoch = NewType("RaftEpoch", int)
ProducerId = NewType("ProducerId", int)
ProducerEpoch = NewType("ProducerEpoch", int)
Uuid = NewType("Uuid", bytes)
"""Sixteen bytes, big endian."""
TopicId = NewType("TopicId", bytes)
"""The uuid of a topic; a re-created topic of the same name has another."""
DirectoryId = NewType("DirectoryId", bytes)
"""The uuid of a log directory, from its ``meta.properties``."""

UUID_BYTES: Final = 16
RESERVED_UUIDS: Final = 100
"""Kafka keeps the first hundred uuids for itself (``Uuid.RESERVED``, ``DirectoryId``)."""

ZERO_UUID: Final = Uuid(bytes(UUID_BYTES))
ZERO_TOPIC_ID: Final = TopicId(bytes(UUID_BYTES))
CLUSTER_METADATA_TOPIC_ID: Final = TopicId(bytes(15) + b"\x01")
DIRECTORY_MIGRATING: Final = DirectoryId(bytes(UUID_BYTES))
DIRECTORY_UNASSIGNED: Final = DirectoryId(bytes(15) + b"\x01")
DIRECTORY_LOST: Final = DirectoryId(bytes(15) + b"\x02")

CLUSTER_METADATA_TOPIC: Final = "__cluster_metadata"
NO_LEADER: Final = BrokerId(-1)


def uuid_text(value: bytes) -> str:
    """Kafka's text form of a uuid: base64url, 22 characters, no padding."""
    return base64.urlsafe_b64encode(value)[:22].decode("ascii")


def uuid_from_text(text: str) -> Uuid:
    """The uuid that Kafka writes as ``text``; ValueError when it is not one."""
    if len(text) > 24:
        raise ValueError(f"not a uuid: {text[:40]!r} is longer than 24 characters")
    if "+" in text or "/" in text:
        # Python takes the ordinary alphabet beside the other; Kafka does not.
        raise ValueError(f"not a uuid: {text!r}")
    try:
        value = base64.b64decode(text.rstrip("=") + "==", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not a uuid: {text!r}") from error
    if len(value) != UUID_BYTES:
        raise ValueError(f"not a uuid: {text!r} has {len(value)} bytes instead of {UUID_BYTES}")
    return Uuid(value)


def is_reserved(value: bytes) -> bool:
    """Is it one of the uuids that Kafka keeps for itself?"""
    return int.from_bytes(value, "big") < RESERVED_UUIDS


def random_uuid(random_bytes: Callable[[int], bytes]) -> Uuid:
    """A version 4 uuid of ``random_bytes(16)``, as ``Uuid.randomUuid``: not reserved, its text not begun by a dash."""
    while True:
        raw = bytearray(random_bytes(UUID_BYTES))
        raw[6] = (raw[6] & 0x0F) | 0x40
        raw[8] = (raw[8] & 0x3F) | 0x80
        value = bytes(raw)
        if not is_reserved(value) and not uuid_text(value).startswith("-"):
            return Uuid(value)
