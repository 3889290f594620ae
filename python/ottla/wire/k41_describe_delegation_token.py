"""DescribeDelegationToken (41): which delegation tokens are there?

v2 flexible · v3 requester
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bytes, Int16, Int32, Int64, String, message, struct


@struct
class DescribeDelegationTokenOwner:
    principal_type: str = String("0+")
    principal_name: str = String("0+")


@message(api_key=41, valid="1-3", flexible="2+", listeners="broker,controller")
class DescribeDelegationTokenRequest:
    owners: tuple[DescribeDelegationTokenOwner, ...] | None = Array(DescribeDelegationTokenOwner, "0+", nullable="0+")


@struct
class DescribedDelegationTokenRenewer:
    principal_type: str = String("0+")
    principal_name: str = String("0+")


@struct
class DescribedDelegationToken:
    principal_type: str = String("0+")
    principal_name: str = String("0+")
    token_requester_principal_type: str = String("3+")
    token_requester_principal_name: str = String("3+")
    issue_timestamp: int = Int64("0+")
    expiry_timestamp: int = Int64("0+")
    max_timestamp: int = Int64("0+")
    token_id: str = String("0+")
    hmac: bytes = Bytes("0+")
    renewers: tuple[DescribedDelegationTokenRenewer, ...] = Array(DescribedDelegationTokenRenewer, "0+")


@message(api_key=41, valid="1-3", flexible="2+")
class DescribeDelegationTokenResponse:
    error_code: int = Int16("0+")
    tokens: tuple[DescribedDelegationToken, ...] = Array(DescribedDelegationToken, "0+")
    throttle_time_ms: int = Int32("0+")
