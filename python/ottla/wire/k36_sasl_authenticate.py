"""SaslAuthenticate (36): one step of a SASL exchange.

v1 session lifetime (KIP-368) · v2 flexible
"""

from __future__ import annotations

from ottla.wire.schema import Bytes, Int16, Int64, String, message


@message(api_key=36, valid="0-2", flexible="2+", listeners="broker,controller")
class SaslAuthenticateRequest:
    auth_bytes: bytes = Bytes("0+")


@message(api_key=36, valid="0-2", flexible="2+")
class SaslAuthenticateResponse:
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")
    auth_bytes: bytes = Bytes("0+")
    session_lifetime_ms: int = Int64("1+", ignorable=True)
