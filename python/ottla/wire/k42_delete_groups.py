"""DeleteGroups (42): delete empty groups with their offsets.

v2 flexible · v3 per-group message, GROUP_DELETION_FAILED (KIP-1331)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, String, message, struct


@message(api_key=42, valid="0-3", flexible="2+", listeners="broker")
class DeleteGroupsRequest:
    groups_names: tuple[str, ...] = Array(String(), "0+")


@struct
class DeletableGroupResult:
    group_id: str = String("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("3+", default=None, nullable="3+", ignorable=True)


@message(api_key=42, valid="0-3", flexible="2+")
class DeleteGroupsResponse:
    throttle_time_ms: int = Int32("0+")
    results: tuple[DeletableGroupResult, ...] = Array(DeletableGroupResult, "0+")
