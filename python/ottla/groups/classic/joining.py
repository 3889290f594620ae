"""JoinGroup: a member is new, comes back, or takes the place of a static one.

Prior art: Kafka's ``GroupMetadataManager.classicGroupJoinToClassicGroup``, whose order of checks this has. Ours answers
a request that a later one of the same member overtakes; there it is never answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, final

from ottla.coordinator.machine import Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.classic.answers import fail_join, fail_sync, join_error, joined, member_list
from ottla.groups.classic.group import ClassicGroup
from ottla.groups.classic.member import Member, WaitingJoin
from ottla.groups.classic.rebalance import Rebalancer
from ottla.groups.classic.state import State
from ottla.groups.client import Client
from ottla.records.consumer_offsets import GroupMetadataValue
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupResponse
from ottla.wire.schema import replace

__all__ = ["Join", "Joiner"]

MEMBER_ID_REQUIRED_FROM: Final = 4
"""KIP-394: a client has its id before it is a member, so that a retry does not make another one."""
SKIP_ASSIGNMENT_FROM: Final = 9
PENDING_MAX: Final = 100_000
"""Ids given out by one group that nobody has used: as many as members can come in one session timeout. Kafka sets no
limit."""


class Join(NamedTuple):
    """A JoinGroup on its way."""

    request: JoinGroupRequest
    client: Client
    version: int
    reply: Reply[JoinGroupResponse]
    outbox: Outbox

    @property
    def rebalance_timeout_ms(self) -> int:
        """Version 0 knows only the session's. Below zero means the same: so it is read in a record, where Kafka writes
        what the request said."""
        said_ms = self.request.rebalance_timeout_ms
        return said_ms if self.version >= 1 and said_ms >= 0 else self.request.session_timeout_ms

    @property
    def waiting(self) -> WaitingJoin:
        return WaitingJoin(self.reply, self.version)

    def refuse(self, code: ErrorCode, member_id: str = "") -> None:
        self.outbox.answer(self.reply, join_error(code, self.version, member_id))


@final
class Joiner:
    """Joins to groups that exist. ``new_id`` gives a text that nobody had before: a uuid."""

    def __init__(self, rebalancer: Rebalancer, new_id: Callable[[], str]) -> None:
        self._rebalancer = rebalancer
        self._new_id = new_id

    def join(self, group: ClassicGroup, join: Join) -> None:
        """Decides about a join, or lets it wait for the end of the join phase."""
        request = join.request
        member_id = request.member_id
        if not self._has_room(group, member_id):
            self._turn_away(group, member_id, join.outbox)
            join.refuse(ErrorCode.GROUP_MAX_SIZE_REACHED)
        elif not group.supports(request.protocol_type, request.protocols):
            join.refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, member_id)
        elif not member_id:
            self._join_new(group, join)
        elif member_id in group.pending:
            if request.group_instance_id is not None:
                # Ids are given out to dynamic members only; Kafka stops at an exception.
                join.refuse(ErrorCode.UNKNOWN_SERVER_ERROR)
            else:
                self._add(group, join, member_id)
        else:
            self._join_again(group, join)

    def _has_room(self, group: ClassicGroup, member_id: str) -> bool:
        members_max = self._rebalancer.config.members_max
        member = group.members.get(member_id)
        if group.state is State.PREPARING_REBALANCE:
            # Those who wait count, not the members: so the last to come back are those who have to go.
            return (member is not None and member.join is not None) or group.joined_count < members_max
        return group.is_empty or member is not None or len(group.members) < members_max

    def _turn_away(self, group: ClassicGroup, member_id: str, outbox: Outbox) -> None:
        member = group.members.get(member_id)
        if member is not None:
            self._rebalancer.remove(group, member, outbox)
        group.drop_pending(member_id)

    # New members.

    def _join_new(self, group: ClassicGroup, join: Join) -> None:
        instance_id = join.request.group_instance_id
        member_id = f"{join.client.client_id if instance_id is None else instance_id}-{self._new_id()}"
        if instance_id is not None:
            existing = group.static.get(instance_id)
            if existing is not None:
                self._replace(group, join, group.members[existing], member_id)
                return
        elif join.version >= MEMBER_ID_REQUIRED_FROM:
            if len(group.pending) >= PENDING_MAX:
                join.refuse(ErrorCode.GROUP_MAX_SIZE_REACHED)
                return
            now_ms = join.outbox.now.monotonic_ms
            self._rebalancer.give_out(group, member_id, now_ms + join.request.session_timeout_ms)
            join.refuse(ErrorCode.MEMBER_ID_REQUIRED, member_id)
            return
        self._add(group, join, member_id)

    def _add(self, group: ClassicGroup, join: Join, member_id: str) -> None:
        request = join.request
        member = Member(
            member_id,
            request.group_instance_id,
            join.client.client_id,
            join.client.host,
            join.rebalance_timeout_ms,
            request.session_timeout_ms,
            request.protocols,
        )
        member.is_new = True
        if group.is_initial:
            group.initial_grew = True
        group.add(member, request.protocol_type)
        group.wait_join(member, join.waiting)
        self._rebalancer.heard_new(group, member, join.outbox.now)
        self._rebalancer.prepare_or_complete(group, join.outbox)

    # Members that come back.

    def _join_again(self, group: ClassicGroup, join: Join) -> None:
        request = join.request
        error = group.validate_member(request.member_id, request.group_instance_id)
        if error is not ErrorCode.NONE:
            join.refuse(error, request.member_id)
            return
        member = group.members[request.member_id]
        self._rebalancer.tell_now(group, member, join.outbox)
        leads = group.leader == member.member_id
        if group.state is State.PREPARING_REBALANCE:
            changed = True
        elif group.state is State.COMPLETING_REBALANCE:
            changed = member.protocols != request.protocols
        else:
            assert group.state is State.STABLE, "a group with members is not Empty"
            # The leader asks for a rebalance by joining: it may know of new partitions, of which metadata says nothing.
            changed = leads or member.protocols != request.protocols
        if changed:
            self._update(group, join, member)
            self._rebalancer.prepare_or_complete(group, join.outbox)
        else:
            self._rebalancer.heard(group, member, join.outbox.now)
            members = member_list(group) if leads else ()
            join.outbox.answer(join.reply, joined(group, member.member_id, members=members))

    def _update(self, group: ClassicGroup, join: Join, member: Member) -> None:
        request = join.request
        fail_join(group, member, ErrorCode.REBALANCE_IN_PROGRESS, member.member_id, join.outbox)
        group.set_protocols(member, request.protocols)
        member.rebalance_timeout_ms = join.rebalance_timeout_ms
        member.session_timeout_ms = request.session_timeout_ms
        group.wait_join(member, join.waiting)

    # Static members that come back under a new id.

    def _replace(self, group: ClassicGroup, join: Join, member: Member, new_id: str) -> None:
        protocols = join.request.protocols
        self._rebalancer.tell_now(group, member, join.outbox)
        if group.state is State.STABLE and group.selected_with(member, protocols) == group.protocol:
            self._replace_quietly(group, join, member, new_id)
            return
        # Whoever waits under the old id is a second process with the same instance id.
        fail_join(group, member, ErrorCode.FENCED_INSTANCE_ID, member.member_id, join.outbox)
        fail_sync(member, ErrorCode.FENCED_INSTANCE_ID, join.outbox)
        group.replace(member, new_id)
        self._update(group, join, member)
        self._rebalancer.heard(group, member, join.outbox.now)
        # In CompletingRebalance too: the leader may have assigned to the old id already.
        self._rebalancer.prepare_or_complete(group, join.outbox)

    def _replace_quietly(self, group: ClassicGroup, join: Join, member: Member, new_id: str) -> None:
        """The group stays Stable: the record has the new id, which gets the old one's assignment by SyncGroup."""
        request, outbox = join.request, join.outbox
        old_id, old_leader = member.member_id, group.leader
        syncs = old_id in group.pending_sync
        outbox.emit(self._replaced_record(group, join, old_id, new_id))
        successor = group.members[new_id]
        group.set_protocols(successor, request.protocols)
        if syncs:
            group.pending_sync.add(new_id)
        self._rebalancer.heard(group, successor, outbox.now)
        if join.version >= SKIP_ASSIGNMENT_FROM:
            leads = group.leader == new_id
            members = member_list(group) if leads else ()
            outbox.answer(join.reply, joined(group, new_id, members=members, skip_assignment=leads))
        else:
            # A client that does not know of skipping is kept from assigning by the name of a leader that it is not.
            outbox.answer(join.reply, joined(group, new_id, leader=old_leader))

    def _replaced_record(self, group: ClassicGroup, join: Join, old_id: str, new_id: str) -> Record:
        key, value = group.record({member_id: known.assignment for member_id, known in group.members.items()})
        assert isinstance(value, GroupMetadataValue), "a group's record"
        protocol = next(p for p in join.request.protocols if p.name == group.protocol)
        members = tuple(
            stored
            if stored.member_id != old_id
            else replace(
                stored,
                member_id=new_id,
                rebalance_timeout=join.rebalance_timeout_ms,
                session_timeout=join.request.session_timeout_ms,
                subscription=protocol.metadata,
            )
            for stored in value.members
        )
        leader = new_id if value.leader == old_id else value.leader
        return Record(key, replace(value, leader=leader, members=members))
