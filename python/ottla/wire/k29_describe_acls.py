"""DescribeAcls (29): which ACLs match a filter?

v1 pattern type (KIP-290) · v2 flexible · v3 User resource type (KIP-373)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, String, message, struct


@message(api_key=29, valid="1-3", flexible="2+", listeners="broker,controller")
class DescribeAclsRequest:
    resource_type_filter: int = Int8("0+")
    resource_name_filter: str | None = String("0+", nullable="0+")
    pattern_type_filter: int = Int8("1+", default=3)
    principal_filter: str | None = String("0+", nullable="0+")
    host_filter: str | None = String("0+", nullable="0+")
    operation: int = Int8("0+")
    permission_type: int = Int8("0+")


@struct
class AclDescription:
    principal: str = String("0+")
    host: str = String("0+")
    operation: int = Int8("0+")
    permission_type: int = Int8("0+")


@struct
class DescribeAclsResource:
    resource_type: int = Int8("0+")
    resource_name: str = String("0+")
    pattern_type: int = Int8("1+", default=3)
    acls: tuple[AclDescription, ...] = Array(AclDescription, "0+")


@message(api_key=29, valid="1-3", flexible="2+")
class DescribeAclsResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")
    resources: tuple[DescribeAclsResource, ...] = Array(DescribeAclsResource, "0+")
