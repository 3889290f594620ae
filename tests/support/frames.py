"""Requests and answers as they go over the wire."""

from __future__ import annotations

from typing import Any

from ottla.wire.codec import decode_response, decode_response_header, encode_request, encode_request_header
from ottla.wire.headers import RequestHeader
from ottla.wire.schema import schema_of


def key_of(request: object) -> int:
    """The number of its API."""
    key = schema_of(request).api_key
    assert key is not None
    return key


def request_frame(request: object, version: int, correlation_id: int, client_id: str | None) -> bytes:
    """Length, header and body."""
    header = RequestHeader(
        request_api_key=key_of(request),
        request_api_version=version,
        correlation_id=correlation_id,
        client_id=client_id,
    )
    body = encode_request_header(header) + encode_request(request, version)
    return len(body).to_bytes(4) + body


def answer_in(frame: bytes, key: int, version: int) -> tuple[int, Any]:
    """The correlation id and the answer of a frame without its length."""
    header, start = decode_response_header(key, version, frame)
    return header.correlation_id, decode_response(key, version, frame, start)
