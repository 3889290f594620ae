"""DeleteAcls (31): delete the ACLs that match filters.

v1 pattern type · v2 flexible · v3 User resource
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, String, message, struct


@struct
class DeleteAclsFilter:
    resource_type_filter: int = Int8("0+")
    resource_name_filter: str | None = String("0+", nullable="0+")
    pattern_type_filter: int = Int8("1+", default=3)
    principal_filter: str | None = String("0+", nullable="0+")
    host_filter: str | None = String("0+", nullable="0+")
    operation: int = Int8("0+")
    permission_type: int = Int8("0+")


@message(api_key=31, valid="1-3", flexible="2+", listeners="broker,controller")
class DeleteAclsRequest:
    filters: tuple[DeleteAclsFilter, ...] = Array(DeleteAclsFilter, "0+")


@struct
class DeleteAclsMatchingAcl:
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")
    resource_type: int = Int8("0+")
    resource_name: str = String("0+")
    pattern_type: int = Int8("1+", default=3)
    principal: str = String("0+")
    host: str = String("0+")
    operation: int = Int8("0+")
    permission_type: int = Int8("0+")


@struct
class DeleteAclsFilterResult:
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")
    matching_acls: tuple[DeleteAclsMatchingAcl, ...] = Array(DeleteAclsMatchingAcl, "0+")


@message(api_key=31, valid="1-3", flexible="2+")
class DeleteAclsResponse:
    throttle_time_ms: int = Int32("0+")
    filter_results: tuple[DeleteAclsFilterResult, ...] = Array(DeleteAclsFilterResult, "0+")
