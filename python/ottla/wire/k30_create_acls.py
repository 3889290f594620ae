"""CreateAcls (30): create ACLs.

v1 pattern type · v2 flexible · v3 User resource
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, String, message, struct


@struct
class AclCreation:
    resource_type: int = Int8("0+")
    resource_name: str = String("0+")
    resource_pattern_type: int = Int8("1+", default=3)
    principal: str = String("0+")
    host: str = String("0+")
    operation: int = Int8("0+")
    permission_type: int = Int8("0+")


@message(api_key=30, valid="1-3", flexible="2+", listeners="broker,controller")
class CreateAclsRequest:
    creations: tuple[AclCreation, ...] = Array(AclCreation, "0+")


@struct
class AclCreationResult:
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")


@message(api_key=30, valid="1-3", flexible="2+")
class CreateAclsResponse:
    throttle_time_ms: int = Int32("0+")
    results: tuple[AclCreationResult, ...] = Array(AclCreationResult, "0+")
