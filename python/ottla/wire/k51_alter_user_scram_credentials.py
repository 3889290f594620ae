"""AlterUserScramCredentials (51): set or delete the SCRAM credentials of users.

v0 (KIP-554). Needs metadata.version 3.5-IV2 (11).
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bytes, Int8, Int16, Int32, String, message, struct


@struct
class ScramCredentialDeletion:
    name: str = String("0+")
    mechanism: int = Int8("0+")


@struct
class ScramCredentialUpsertion:
    name: str = String("0+")
    mechanism: int = Int8("0+")
    iterations: int = Int32("0+")
    salt: bytes = Bytes("0+")
    salted_password: bytes = Bytes("0+")


@message(api_key=51, valid="0", flexible="0+", listeners="broker,controller")
class AlterUserScramCredentialsRequest:
    deletions: tuple[ScramCredentialDeletion, ...] = Array(ScramCredentialDeletion, "0+")
    upsertions: tuple[ScramCredentialUpsertion, ...] = Array(ScramCredentialUpsertion, "0+")


@struct
class AlterUserScramCredentialsResult:
    user: str = String("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")


@message(api_key=51, valid="0", flexible="0+")
class AlterUserScramCredentialsResponse:
    throttle_time_ms: int = Int32("0+")
    results: tuple[AlterUserScramCredentialsResult, ...] = Array(AlterUserScramCredentialsResult, "0+")
