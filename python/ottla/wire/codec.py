"""Messages to bytes and back.

Bytes that are no message, and messages that have no bytes in a version, raise ``WireError``, which names message,
version, field and byte. A version that a message has not is a ``ValueError``: callers check versions before bodies.
Bytes behind a message are not looked at, as Kafka does not look at them.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from ottla._core import WireError
from ottla.wire.headers import RequestHeader, ResponseHeader
from ottla.wire.program import program_of
from ottla.wire.registry import request_class, request_header_version, response_class, response_header_version

__all__ = [
    "EncodedResponse",
    "WireError",
    "decode",
    "decode_prefix",
    "decode_request",
    "decode_request_header",
    "decode_response",
    "decode_response_header",
    "encode",
    "encode_request",
    "encode_request_header",
    "encode_response",
    "encode_response_header",
]

_T = TypeVar("_T")


class EncodedResponse(NamedTuple):
    """The body of a response, without its header."""

    body: bytes
    throttle_offset: int | None
    """Where in the body ``throttle_time_ms`` is, four bytes; ``None`` when this version has none."""


def decode(cls: type[_T], version: int, data: bytes, offset: int = 0) -> _T:
    """Reads a message of a class that begins at ``offset``."""
    message: _T = program_of(cls, version).decode(data, offset)
    return message


def decode_prefix(cls: type[_T], version: int, data: bytes, offset: int = 0) -> tuple[_T, int]:
    """Reads a message, and says where it ends."""
    return program_of(cls, version).decode_prefix(data, offset)


def encode(message: object, version: int) -> bytes:
    """Writes a message of any class."""
    return program_of(type(message), version).encode(message)


def decode_request(key: int, version: int, body: bytes, offset: int = 0) -> Any:
    """Reads the body of a request, which begins at ``offset``."""
    return program_of(request_class(key), version).decode(body, offset)


def encode_request(request: object, version: int) -> bytes:
    """Writes the body of a request."""
    return encode(request, version)


def decode_response(key: int, version: int, body: bytes, offset: int = 0) -> Any:
    """Reads the body of a response, which begins at ``offset``."""
    return program_of(response_class(key), version).decode(body, offset)


def encode_response(response: object, version: int) -> EncodedResponse:
    """Writes the body of a response, and says where its throttle time is, which the data plane fills in."""
    return EncodedResponse(*program_of(type(response), version).encode_watched(response))


def decode_request_header(frame: bytes) -> tuple[RequestHeader, int]:
    """The header of a request, and where its body begins.

    The first four bytes, key and version, decide how the rest is read: a key that is not one is a ``ValueError``.
    """
    if len(frame) < 4:
        raise WireError(f"cannot decode RequestHeader: 4 bytes wanted, {len(frame)} left (at byte 0)")
    key, version = int.from_bytes(frame[:2], signed=True), int.from_bytes(frame[2:4], signed=True)
    return decode_prefix(RequestHeader, request_header_version(key, version), frame)


def encode_request_header(header: RequestHeader) -> bytes:
    """The header of a request, in the version that its key and version ask for."""
    return encode(header, request_header_version(header.request_api_key, header.request_api_version))


def decode_response_header(key: int, version: int, frame: bytes) -> tuple[ResponseHeader, int]:
    """The header of the response to a request of this key and version, and where its body begins."""
    return decode_prefix(ResponseHeader, response_header_version(key, version), frame)


def encode_response_header(key: int, version: int, correlation_id: int) -> bytes:
    """The header of the response to a request of this key and version."""
    return encode(ResponseHeader(correlation_id=correlation_id), response_header_version(key, version))
