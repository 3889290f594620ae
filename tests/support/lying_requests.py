"""Requests that lie: whole ones that make no sense, and frames of which bytes were changed or cut off.

Prior art: ``tests/support/messages.py``, whose instances are for codecs: a handler refuses them at the first look. Ours
draws what fields hold by their names, from words that mean something to the broker, so that handlers go far.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ottla.api.table import TABLE, Lane
from ottla.wire.codec import WireError, encode_request
from ottla.wire.registry import request_class
from ottla.wire.schema import Field, Kind, fields_of
from tests.support.messages import sample
from tests.support.raw import Closed, Connection

__all__ = ["COORDINATOR_KEYS", "Words", "cuts", "frame", "mutated", "nonsense", "send_and_leave", "versions_of"]

Words = Mapping[str, Sequence[Any]]
"""What a field may hold, by its name."""

COORDINATOR_KEYS: Final = (*tuple(api.key for api in TABLE if api.lane is Lane.GROUPS), 27, 61)
"""The APIs of groups and transactions, with WriteTxnMarkers and DescribeProducers."""
ELEMENTS_MAX: Final = 3


def versions_of(key: int) -> range:
    """Those that are served."""
    return next(api.versions for api in TABLE if api.key == key)


def frame(body: bytes) -> bytes:
    """With its length before it."""
    return len(body).to_bytes(4) + body


def nonsense(key: int, version: int, bits: random.Random, words: Words) -> Any:
    """A request of this API that can be encoded and need not make sense."""
    while True:
        request = _drawn(request_class(key), version, bits, words)
        try:
            encode_request(request, version)
        except WireError:
            continue
        return request


def _drawn(cls: type, version: int, bits: random.Random, words: Words) -> Any:
    base = sample(cls, version, bits)
    values = {}
    for field in fields_of(cls):
        if version not in field.versions:
            continue
        known = words.get(field.attribute)
        if field.array and not (version in field.nullable and bits.random() < 0.1):
            count = bits.choice((0, 1, 1, 1, 2, ELEMENTS_MAX))
            values[field.attribute] = tuple(_element(field, version, bits, words) for _ in range(count))
        elif known is not None and bits.random() < 0.9:
            values[field.attribute] = bits.choice(known)
        elif field.kind is Kind.STRUCT and not field.array and getattr(base, field.attribute) is not None:
            values[field.attribute] = _drawn(_struct_of(field), version, bits, words)
        else:
            values[field.attribute] = getattr(base, field.attribute)
    return cls(**values)


def _element(field: Field, version: int, bits: random.Random, words: Words) -> Any:
    known = words.get(field.attribute)
    if field.kind is Kind.STRUCT:
        return _drawn(_struct_of(field), version, bits, words)
    if known is not None:
        return bits.choice(known)
    numbers = (0, 1, -1, 2**31 - 1) if field.kind is Kind.INT32 else (0, 1, -1)
    return (
        "a"
        if field.kind in (Kind.STRING, Kind.NAME)
        else bytes(16)
        if field.kind is Kind.UUID
        else bits.choice(numbers)
    )


def _struct_of(field: Field) -> type:
    assert field.struct is not None
    return field.struct


def mutated(whole: bytes, bits: random.Random) -> bytes:
    """A frame of the same length, and behind the correct header of its request some bytes that are others."""
    data = bytearray(whole)
    # length, key, version, correlation id, client id
    start = min(14 + int.from_bytes(whole[12:14]), len(data) - 1)
    if bits.random() < 0.3 and len(data) - start >= 4:
        at = bits.randrange(start, len(data) - 3)
        data[at : at + 4] = bits.choice((b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\x0f\x42\x40", b"\x80\0\0\0"))
    for _ in range(bits.choice((1, 1, 2, 8))):
        data[bits.randrange(start, len(data))] = bits.choice((0, 1, 0x7F, 0x80, 0xFF, bits.randrange(256)))
    return bytes(data)


def cuts(whole: bytes, count: int) -> Iterator[bytes]:
    """Whole frames with a part of the body, and streams that end within the frame."""
    for at in range(5, len(whole) - 4, max(len(whole) // count, 1)):
        yield frame(whole[4 : 4 + at])
    for at in (1, 3, 4, len(whole) // 2, len(whole) - 1):
        yield whole[:at]


def send_and_leave(address: tuple[str, int], data: bytes) -> bytes:
    """Sends, says that there is no more, and takes what comes until the broker closes."""
    with Connection(address) as connection:
        try:
            connection.send_bytes(data)
            connection.socket.shutdown(socket.SHUT_WR)
        except (Closed, OSError):
            return b""
        return connection.wait_closed()
