"""ExpireDelegationToken (40): let a delegation token end, now or at a time.

v2 flexible

A negative period ends it at once.
"""

from __future__ import annotations

from ottla.wire.schema import Bytes, Int16, Int32, Int64, message


@message(api_key=40, valid="1-2", flexible="2+", listeners="broker,controller")
class ExpireDelegationTokenRequest:
    hmac: bytes = Bytes("0+")
    expiry_time_period_ms: int = Int64("0+")


@message(api_key=40, valid="1-2", flexible="2+")
class ExpireDelegationTokenResponse:
    error_code: int = Int16("0+")
    expiry_timestamp_ms: int = Int64("0+")
    throttle_time_ms: int = Int32("0+")
