"""CreateDelegationToken (38): issue a delegation token.

v2 flexible · v3 owner principal (KIP-373)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bytes, Int16, Int32, Int64, String, message, struct


@struct
class CreatableRenewers:
    principal_type: str = String("0+")
    principal_name: str = String("0+")


@message(api_key=38, valid="1-3", flexible="2+", listeners="broker,controller")
class CreateDelegationTokenRequest:
    owner_principal_type: str | None = String("3+", nullable="3+")
    owner_principal_name: str | None = String("3+", nullable="3+")
    renewers: tuple[CreatableRenewers, ...] = Array(CreatableRenewers, "0+")
    max_lifetime_ms: int = Int64("0+")


@message(api_key=38, valid="1-3", flexible="2+")
class CreateDelegationTokenResponse:
    error_code: int = Int16("0+")
    principal_type: str = String("0+")
    principal_name: str = String("0+")
    token_requester_principal_type: str = String("3+")
    token_requester_principal_name: str = String("3+")
    issue_timestamp_ms: int = Int64("0+")
    expiry_timestamp_ms: int = Int64("0+")
    max_timestamp_ms: int = Int64("0+")
    token_id: str = String("0+")
    hmac: bytes = Bytes("0+")
    throttle_time_ms: int = Int32("0+")
