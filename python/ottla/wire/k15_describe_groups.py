"""DescribeGroups (15): the state and the members of classic groups.

v1 throttle · v3 authorised operations · v4 group.instance.id · v5 flexible · v6 GROUP_ID_NOT_FOUND + message instead
of state Dead (KIP-1043)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Bytes, Int16, Int32, String, message, struct


@message(api_key=15, valid="0-6", flexible="5+", listeners="broker")
class DescribeGroupsRequest:
    groups: tuple[str, ...] = Array(String(), "0+")
    include_authorized_operations: bool = Bool("3+")


@struct
class DescribedGroupMember:
    member_id: str = String("0+")
    group_instance_id: str | None = String("4+", default=None, nullable="4+", ignorable=True)
    client_id: str = String("0+")
    client_host: str = String("0+")
    member_metadata: bytes = Bytes("0+")
    member_assignment: bytes = Bytes("0+")


@struct
class DescribedGroup:
    error_code: int = Int16("0+")
    error_message: str | None = String("6+", default=None, nullable="6+")
    group_id: str = String("0+")
    group_state: str = String("0+")
    protocol_type: str = String("0+")
    protocol_data: str = String("0+")
    members: tuple[DescribedGroupMember, ...] = Array(DescribedGroupMember, "0+")
    authorized_operations: int = Int32("3+", default=-2147483648)


@message(api_key=15, valid="0-6", flexible="5+")
class DescribeGroupsResponse:
    throttle_time_ms: int = Int32("1+", ignorable=True)
    groups: tuple[DescribedGroup, ...] = Array(DescribedGroup, "0+")
