"""Kafka's wire protocol: every message declared once, read and written by the interpreter in Rust.

``kNN_name.py`` declare one API each, ``headers.py`` what comes before every body, ``schema.py`` the words they use.
``program.py`` lowers a declaration to what the interpreter executes, at the first use of (message, version);
``reference.py`` executes the same declarations with construct, for tools and tests.
"""

from __future__ import annotations

from ottla.wire.codec import (
    EncodedResponse,
    WireError,
    decode,
    decode_prefix,
    decode_request,
    decode_request_header,
    decode_response,
    decode_response_header,
    encode,
    encode_request,
    encode_request_header,
    encode_response,
    encode_response_header,
)
from ottla.wire.registry import (
    REMOVED,
    ApiKey,
    request_class,
    request_header_version,
    response_class,
    response_header_version,
)
from ottla.wire.schema import replace

__all__ = [
    "REMOVED",
    "ApiKey",
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
    "replace",
    "request_class",
    "request_header_version",
    "response_class",
    "response_header_version",
]
