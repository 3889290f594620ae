"""ListGroups (16): which groups does this broker coordinate?

v1 throttle · v3 flexible · v4 states filter + state (KIP-518) · v5 types filter + type (KIP-848)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, String, message, struct


@message(api_key=16, valid="0-5", flexible="3+", listeners="broker")
class ListGroupsRequest:
    states_filter: tuple[str, ...] = Array(String(), "4+")
    types_filter: tuple[str, ...] = Array(String(), "5+")


@struct
class ListedGroup:
    group_id: str = String("0+")
    protocol_type: str = String("0+")
    group_state: str = String("4+", ignorable=True)
    group_type: str = String("5+", ignorable=True)


@message(api_key=16, valid="0-5", flexible="3+")
class ListGroupsResponse:
    throttle_time_ms: int = Int32("1+", ignorable=True)
    error_code: int = Int16("0+")
    groups: tuple[ListedGroup, ...] = Array(ListedGroup, "0+")
