"""DescribeUserScramCredentials (50): which users have SCRAM credentials, and of which kind?

v0 (KIP-554). Salts and keys are never told.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, String, message, struct


@struct
class UserName:
    name: str = String("0+")


@message(api_key=50, valid="0", flexible="0+", listeners="broker,controller")
class DescribeUserScramCredentialsRequest:
    users: tuple[UserName, ...] | None = Array(UserName, "0+", nullable="0+")


@struct
class CredentialInfo:
    mechanism: int = Int8("0+")
    iterations: int = Int32("0+")


@struct
class DescribeUserScramCredentialsResult:
    user: str = String("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")
    credential_infos: tuple[CredentialInfo, ...] = Array(CredentialInfo, "0+")


@message(api_key=50, valid="0", flexible="0+")
class DescribeUserScramCredentialsResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")
    results: tuple[DescribeUserScramCredentialsResult, ...] = Array(DescribeUserScramCredentialsResult, "0+")
