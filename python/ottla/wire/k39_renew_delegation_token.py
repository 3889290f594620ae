"""RenewDelegationToken (39): let a delegation token live longer.

v2 flexible
"""

from __future__ import annotations

from ottla.wire.schema import Bytes, Int16, Int32, Int64, message


@message(api_key=39, valid="1-2", flexible="2+", listeners="broker,controller")
class RenewDelegationTokenRequest:
    hmac: bytes = Bytes("0+")
    renew_period_ms: int = Int64("0+")


@message(api_key=39, valid="1-2", flexible="2+")
class RenewDelegationTokenResponse:
    error_code: int = Int16("0+")
    expiry_timestamp_ms: int = Int64("0+")
    throttle_time_ms: int = Int32("0+")
