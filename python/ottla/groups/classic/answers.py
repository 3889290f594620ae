"""The answers of the classic protocol, as the fields of each version want them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from ottla.coordinator.machine import Outbox, Reply
from ottla.errors import ErrorCode
from ottla.groups.classic.group import ClassicGroup
from ottla.groups.classic.member import Member, metadata_of
from ottla.groups.classic.state import State
from ottla.wire.k11_join_group import JoinGroupResponse, JoinGroupResponseMember
from ottla.wire.k12_heartbeat import HeartbeatResponse
from ottla.wire.k13_leave_group import LeaveGroupResponse, MemberResponse
from ottla.wire.k14_sync_group import SyncGroupResponse
from ottla.wire.k15_describe_groups import DescribedGroup, DescribedGroupMember

__all__ = [
    "HEARTBEATS",
    "LEAVE_MANY_FROM",
    "describe",
    "fail_join",
    "fail_sync",
    "join_error",
    "joined",
    "joins",
    "left",
    "member_list",
    "member_lists",
    "sync_error",
    "synced",
    "syncs",
]

JOIN_NULL_PROTOCOL_FROM: Final = 7
LEAVE_MANY_FROM: Final = 3

HEARTBEATS: Final = {
    code: HeartbeatResponse(error_code=code)
    for code in (
        ErrorCode.NONE,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.FENCED_INSTANCE_ID,
        ErrorCode.ILLEGAL_GENERATION,
        ErrorCode.INVALID_GROUP_ID,
        ErrorCode.REBALANCE_IN_PROGRESS,
        ErrorCode.UNKNOWN_MEMBER_ID,
    )
}
"""Every answer to a heartbeat: made once, because nothing is asked more often."""


def join_error(code: ErrorCode, version: int, member_id: str = "") -> JoinGroupResponse:
    """A join that failed."""
    name = None if version >= JOIN_NULL_PROTOCOL_FROM else ""
    return JoinGroupResponse(error_code=code, member_id=member_id, protocol_name=name)


def joined(
    group: ClassicGroup,
    member_id: str,
    *,
    members: tuple[JoinGroupResponseMember, ...] = (),
    leader: str | None = None,
    skip_assignment: bool = False,
) -> JoinGroupResponse:
    """A member is in the present generation; the leader's answer lists all members."""
    return JoinGroupResponse(
        generation_id=group.generation,
        protocol_type=group.protocol_type,
        protocol_name=group.protocol,
        leader=leader or group.leader or "",
        skip_assignment=skip_assignment,
        member_id=member_id,
        members=members,
    )


class MakeJoined(Protocol):
    """Makes what a member is told, the leader with the list of ``members``."""

    def __call__(
        self, member_id: str, members: Callable[[], tuple[JoinGroupResponseMember, ...]] | None = None
    ) -> JoinGroupResponse: ...


def joins(group: ClassicGroup) -> MakeJoined:
    """What a member of the present generation is told, also when that is over: ``joined``."""
    generation, protocol_type, protocol, leader = group.generation, group.protocol_type, group.protocol, group.leader

    def answer(
        member_id: str, members: Callable[[], tuple[JoinGroupResponseMember, ...]] | None = None
    ) -> JoinGroupResponse:
        return JoinGroupResponse(
            generation_id=generation,
            protocol_type=protocol_type,
            protocol_name=protocol,
            leader=leader or "",
            member_id=member_id,
            members=() if members is None else members(),
        )

    return answer


def syncs(group: ClassicGroup) -> Callable[[bytes], SyncGroupResponse]:
    """Makes what a member of the present generation gets, also when that is over: ``synced``."""
    protocol_type, protocol = group.protocol_type, group.protocol

    def answer(assignment: bytes) -> SyncGroupResponse:
        return SyncGroupResponse(protocol_type=protocol_type, protocol_name=protocol, assignment=assignment)

    return answer


def member_list(group: ClassicGroup) -> tuple[JoinGroupResponseMember, ...]:
    """All members with their metadata of the chosen protocol, for the leader."""
    return member_lists(group)()


def member_lists(group: ClassicGroup) -> Callable[[], tuple[JoinGroupResponseMember, ...]]:
    """Makes the list of those who are members now, later."""
    protocol = group.protocol
    assert protocol is not None, "the generation has a protocol"
    said = [(member.member_id, member.group_instance_id, member.protocols) for member in group.members.values()]

    def make() -> tuple[JoinGroupResponseMember, ...]:
        members: list[JoinGroupResponseMember] = []
        for member_id, instance_id, protocols in said:
            metadata = metadata_of(protocols, protocol)
            assert metadata is not None, "every member supports what was chosen"
            members.append(
                JoinGroupResponseMember(member_id=member_id, group_instance_id=instance_id, metadata=metadata)
            )
        return tuple(members)

    return make


def fail_join(group: ClassicGroup, member: Member, code: ErrorCode, member_id: str, outbox: Outbox) -> None:
    """Answers the join that waits for a member, if one does."""
    waiting = group.take_join(member)
    if waiting is not None:
        outbox.answer(waiting.reply, join_error(code, waiting.version, member_id))


def sync_error(code: ErrorCode) -> SyncGroupResponse:
    return SyncGroupResponse(error_code=code)


def synced(group: ClassicGroup, member: Member) -> SyncGroupResponse:
    """A member's assignment."""
    return SyncGroupResponse(
        protocol_type=group.protocol_type, protocol_name=group.protocol, assignment=member.assignment
    )


def fail_sync(member: Member, code: ErrorCode, outbox: Outbox) -> None:
    """Answers the sync that waits for a member, if one does."""
    reply: Reply[SyncGroupResponse] | None = member.sync
    if reply is not None:
        member.sync = None
        outbox.answer(reply, sync_error(code))


def left(version: int, results: tuple[MemberResponse, ...]) -> LeaveGroupResponse:
    """Who left; before version 3 there is one member, whose error is that of the request."""
    if version < LEAVE_MANY_FROM:
        return LeaveGroupResponse(error_code=results[0].error_code)
    return LeaveGroupResponse(members=results)


def describe(group: ClassicGroup) -> DescribedGroup:
    """A group as DescribeGroups shows it; what the caller may do is added by who knows. Metadata is of the chosen
    protocol, so it is shown only while there is one for all."""
    stable = group.state is State.STABLE
    members = tuple(
        DescribedGroupMember(
            member_id=member.member_id,
            group_instance_id=member.group_instance_id,
            client_id=member.client_id,
            client_host=member.client_host,
            member_metadata=(member.metadata_or_none(group.protocol) or b"") if stable else b"",
            member_assignment=member.assignment,
        )
        for member in group.members.values()
    )
    return DescribedGroup(
        group_id=group.group_id,
        group_state=group.state.value,
        protocol_type=group.protocol_type or "",
        protocol_data=(group.protocol or "") if stable else "",
        members=members,
    )
