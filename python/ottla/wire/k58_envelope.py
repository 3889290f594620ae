"""Envelope (58): a broker forwards a client's request to the controller, with the principal it came from.

v0 (KIP-590). Carries the principal, the client's address and the whole request.
"""

from __future__ import annotations

from ottla.wire.schema import Bytes, Int16, message


@message(api_key=58, valid="0", flexible="0+", listeners="controller")
class EnvelopeRequest:
    request_data: bytes = Bytes("0+")
    request_principal: bytes | None = Bytes("0+", nullable="0+")
    client_host_address: bytes = Bytes("0+")


@message(api_key=58, valid="0", flexible="0+")
class EnvelopeResponse:
    response_data: bytes | None = Bytes("0+", default=None, nullable="0+")
    error_code: int = Int16("0+")
