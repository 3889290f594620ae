"""SaslHandshake (17): choose a SASL mechanism; its exchange follows.

v0 raw tokens follow · v1 SaslAuthenticate requests follow

Never flexible: old clients negotiate its versions wrongly.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, String, message


@message(api_key=17, valid="0-1", listeners="broker,controller")
class SaslHandshakeRequest:
    mechanism: str = String("0+")


@message(api_key=17, valid="0-1")
class SaslHandshakeResponse:
    error_code: int = Int16("0+")
    mechanisms: tuple[str, ...] = Array(String(), "0+")
