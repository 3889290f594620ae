"""The classic groups of one partition of ``__consumer_offsets``: the ways in.

Requests come as their wire messages, and answers leave through the outbox; so do records. A group exists from its first
record on: what is asked of one that does not is answered without it. See ``ottla.groups.classic.group`` for what is
remembered and what is not.

Prior art: the classic half of Kafka's ``GroupMetadataManager``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, final

from ottla.coordinator.machine import Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.classic.answers import (
    HEARTBEATS,
    LEAVE_MANY_FROM,
    fail_join,
    fail_sync,
    join_error,
    left,
    sync_error,
    synced,
)
from ottla.groups.classic.config import ClassicConfig
from ottla.groups.classic.group import ClassicGroup
from ottla.groups.classic.joining import Join, Joiner
from ottla.groups.classic.member import Protocols
from ottla.groups.classic.rebalance import Rebalancer
from ottla.groups.classic.state import State
from ottla.groups.client import Client
from ottla.groups.deadlines import Deadlines
from ottla.groups.standing import Standings
from ottla.records.consumer_offsets import GroupMetadataKey, GroupMetadataValue
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupResponse
from ottla.wire.k12_heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.k13_leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupResponse

__all__ = ["ClassicGroups"]

SYNC_NAMES_PROTOCOL_FROM: Final = 5
TIMERS_PER_ADVANCE_MAX: Final = 128
ANSWERS_PER_ADVANCE_MAX: Final = 1_000
"""Some milliseconds of work; what is left is due at once."""


@final
class ClassicGroups:
    """A machine of its own, and a part of the shard that holds groups of every protocol."""

    def __init__(self, config: ClassicConfig, new_id: Callable[[], str], standings: Standings | None = None) -> None:
        """``standings``: of the shard."""
        self._config = config
        self._standings = Standings() if standings is None else standings
        self._groups: dict[str, ClassicGroup] = {}
        self._deadlines = Deadlines()
        self._rebalancer = Rebalancer(config, self._deadlines, self._standings)
        self._joiner = Joiner(self._rebalancer, new_id)

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[ClassicGroup]:
        return iter(self._groups.values())

    def __contains__(self, group_id: str) -> bool:
        return group_id in self._groups

    def get(self, group_id: str) -> ClassicGroup | None:
        return self._groups.get(group_id)

    # Requests.

    def join(
        self,
        request: JoinGroupRequest,
        client: Client,
        version: int,
        reply: Reply[JoinGroupResponse],
        outbox: Outbox,
        *,
        instead_of: Sequence[Record] = (),
    ) -> None:
        """Makes the group if nobody knows it and the member is new; ``instead_of`` ends an empty one of another
        protocol. Answers at once, or when the join phase ends.

        Raises CoordinatorError, having changed nothing.
        """
        error = self.check_join(request)
        if error is not ErrorCode.NONE:
            outbox.answer(reply, join_error(error, version, request.member_id))
            return
        group = self._groups.get(request.group_id)
        if group is None:
            if request.member_id:
                outbox.answer(reply, join_error(ErrorCode.UNKNOWN_MEMBER_ID, version, request.member_id))
                return
            group = self._create(request.group_id, outbox, instead_of)
        self._joiner.join(group, Join(request, client, version, reply, outbox))

    def check_join(self, request: JoinGroupRequest) -> ErrorCode:
        """What is wrong with a request, whatever group it is for."""
        if not request.group_id:
            return ErrorCode.INVALID_GROUP_ID
        shortest, longest = self._config.session_timeout_ms_min, self._config.session_timeout_ms_max
        in_bounds = shortest <= request.session_timeout_ms <= longest
        return ErrorCode.NONE if in_bounds else ErrorCode.INVALID_SESSION_TIMEOUT

    def _create(self, group_id: str, outbox: Outbox, instead_of: Sequence[Record]) -> ClassicGroup:
        value = GroupMetadataValue(protocol=None, leader=None, current_state_timestamp=outbox.now.wall_ms)
        outbox.emit(*instead_of, Record(GroupMetadataKey(group=group_id), value))
        return self._groups[group_id]

    def sync(
        self,
        request: SyncGroupRequest,
        client: Client,
        version: int,
        reply: Reply[SyncGroupResponse],
        outbox: Outbox,
    ) -> None:
        """Answers at once, or when the leader has assigned."""
        group = self._groups.get(request.group_id)
        error = self._validate_sync(group, request, version)
        if error is not ErrorCode.NONE or group is None:
            outbox.answer(reply, sync_error(error))
            return
        member = group.members[request.member_id]
        if group.state is State.PREPARING_REBALANCE:
            outbox.answer(reply, sync_error(ErrorCode.REBALANCE_IN_PROGRESS))
            return
        self._rebalancer.tell_now(group, member, outbox)
        self._rebalancer.synced(group, member)
        if group.state is State.STABLE:
            self._rebalancer.heard(group, member, outbox.now)
            outbox.answer(reply, synced(group, member))
            return
        fail_sync(member, ErrorCode.REBALANCE_IN_PROGRESS, outbox)
        member.sync = reply
        if group.leader == member.member_id:
            shares = {share.member_id: share.assignment for share in request.assignments}
            self._rebalancer.assign(group, shares, outbox)

    def _validate_sync(self, group: ClassicGroup | None, request: SyncGroupRequest, version: int) -> ErrorCode:
        protocol_type, protocol = request.protocol_type, request.protocol_name
        if version >= SYNC_NAMES_PROTOCOL_FROM and (protocol_type is None or protocol is None):
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        if not request.group_id:
            return ErrorCode.INVALID_GROUP_ID
        if group is None or group.is_empty:
            return ErrorCode.UNKNOWN_MEMBER_ID
        error = group.validate_member(request.member_id, request.group_instance_id)
        if error is not ErrorCode.NONE:
            return error
        if request.generation_id != group.generation:
            return ErrorCode.ILLEGAL_GENERATION
        if protocol_type not in (None, group.protocol_type) or protocol not in (None, group.protocol):
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        return ErrorCode.NONE

    def heartbeat(
        self,
        request: HeartbeatRequest,
        client: Client,
        version: int,
        reply: Reply[HeartbeatResponse],
        outbox: Outbox,
    ) -> None:
        """The member is there; the answer says whether it has to join again."""
        group = self._groups.get(request.group_id)
        if group is None:
            code = ErrorCode.UNKNOWN_MEMBER_ID if request.group_id else ErrorCode.INVALID_GROUP_ID
        else:
            code = group.validate_member(request.member_id, request.group_instance_id)
            if code is ErrorCode.NONE:
                code = self._heartbeat(group, request, reply, outbox)
        outbox.answer(reply, HEARTBEATS[code])

    def _heartbeat(
        self, group: ClassicGroup, request: HeartbeatRequest, reply: Reply[HeartbeatResponse], outbox: Outbox
    ) -> ErrorCode:
        if request.generation_id != group.generation:
            return ErrorCode.ILLEGAL_GENERATION
        member = group.members[request.member_id]
        now, state = outbox.now, group.state
        session = self._rebalancer.heard(group, member, now)
        if state is State.STABLE:
            # Until something happens, that is what it will hear.
            reply.offer = self._standings.offer(
                group.group_id, request.member_id, session, now[0], member.session_timeout_ms
            )
        return ErrorCode.REBALANCE_IN_PROGRESS if state is State.PREPARING_REBALANCE else ErrorCode.NONE

    def leave(
        self,
        request: LeaveGroupRequest,
        client: Client,
        version: int,
        reply: Reply[LeaveGroupResponse],
        outbox: Outbox,
    ) -> None:
        """Takes members out, by member id or, for tools, by instance id alone."""
        group = self._groups.get(request.group_id)
        if not request.group_id:
            outbox.answer(reply, LeaveGroupResponse(error_code=ErrorCode.INVALID_GROUP_ID))
            return
        who = request.members if version >= LEAVE_MANY_FROM else (MemberIdentity(member_id=request.member_id),)
        results = []
        for identity in who:
            error = ErrorCode.UNKNOWN_MEMBER_ID if group is None else self._leave(group, identity, outbox)
            results.append(
                MemberResponse(
                    member_id=identity.member_id, group_instance_id=identity.group_instance_id, error_code=error
                )
            )
        if group is not None and not group.is_empty and any(not result.error_code for result in results):
            self._rebalancer.prepare_or_complete(group, outbox)
        outbox.answer(reply, left(version, tuple(results)))

    def _leave(self, group: ClassicGroup, identity: MemberIdentity, outbox: Outbox) -> ErrorCode:
        member_id, instance_id = identity.member_id, identity.group_instance_id
        if not member_id:
            known = None if instance_id is None else group.static.get(instance_id)
            if known is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
            member_id = known
        elif member_id in group.pending:
            group.drop_pending(member_id)
            return ErrorCode.NONE
        else:
            error = group.validate_member(member_id, instance_id)
            if error is not ErrorCode.NONE:
                return error
        self._rebalancer.remove(group, group.members[member_id], outbox)
        return ErrorCode.NONE

    def committed(self, group: ClassicGroup, member_id: str, at_ms: int) -> None:
        """A member has committed offsets, not in a transaction: it was there."""
        member = group.members.get(member_id)
        if member is not None and group.state in (State.STABLE, State.PREPARING_REBALANCE):
            self._rebalancer.was_heard(group, member, at_ms)

    # Other protocols and offsets.

    def yield_simple(self, group_id: str) -> None:
        """A record says that a group known by its offsets alone is of another protocol: for ``apply`` of the shard."""
        group = self._groups.get(group_id)
        if group is not None and group.stored is None and group.is_empty:
            _bury(self._groups.pop(group_id))

    def ensure(self, group_id: str) -> ClassicGroup:
        """The group of a committed offset, which needs no record of its own: for ``apply`` of the shard."""
        group = self._groups.get(group_id)
        if group is None:
            group = self._groups[group_id] = ClassicGroup(group_id, self._standings)
        return group

    def delete(self, group_id: str, outbox: Outbox) -> None:
        """Forgets a group that is Empty (``validate_delete``): writes its tombstone."""
        assert self._groups[group_id].is_empty, "a group with members is not deleted"
        outbox.emit(Record(GroupMetadataKey(group=group_id), None))

    def dissolve(self, group_id: str, outbox: Outbox, *becomes: Record) -> None:
        """The group becomes one of another protocol, which has read its members: its tombstone is written with the
        records of the other, and whoever waits has to join again. Raises CoordinatorError, having changed nothing."""
        group = self._groups[group_id]
        outbox.emit(Record(GroupMetadataKey(group=group_id), None), *becomes)
        for member in group.members.values():
            fail_join(group, member, ErrorCode.REBALANCE_IN_PROGRESS, member.member_id, outbox)
            fail_sync(member, ErrorCode.REBALANCE_IN_PROGRESS, outbox)

    def adopt(
        self,
        group_id: str,
        value: GroupMetadataValue,
        protocols: Mapping[str, Protocols],
        outbox: Outbox,
        *,
        rebalance: bool,
        instead_of: Sequence[Record] = (),
    ) -> ClassicGroup:
        """A group of another protocol becomes a classic one, Stable: its record is written, sessions begin.

        ``protocols`` has what each member of ``value`` supports, by member id; the record has only the chosen one. With
        ``rebalance`` members have to join again at once. The group must not be known here; ``instead_of`` ends it
        where it was. Raises CoordinatorError, having changed nothing.
        """
        assert group_id not in self._groups, "a group is of one protocol"
        outbox.emit(*instead_of, Record(GroupMetadataKey(group=group_id), value))
        group = self._groups[group_id]
        for member in group.members.values():
            group.set_protocols(member, protocols[member.member_id])
            self._rebalancer.heard(group, member, outbox.now)
        if rebalance:
            self._rebalancer.prepare(group, outbox)
        return group

    # The machine.

    def apply(self, record: Record) -> None:
        """Takes records of type 2 (GroupMetadata)."""
        key, value = record
        assert isinstance(key, GroupMetadataKey), f"not a record of a classic group: {key}"
        if value is None:
            group = self._groups.pop(key.group, None)
            if group is not None:
                _bury(group)
            return
        assert isinstance(value, GroupMetadataValue), f"not the value of a classic group: {value}"
        self.ensure(key.group).install(value)

    def loaded(self, now: Now) -> None:
        """Every member gets a session. A group that is larger than it may be now rebalances, so that members commit
        before some of them are turned away."""
        outbox = Outbox(now, self.apply)
        for group in self._groups.values():
            for member in group.members.values():
                self._rebalancer.heard(group, member, now)
            if len(group.members) > self._config.members_max:
                self._rebalancer.prepare(group, outbox)
        assert not outbox.records, "nothing is decided about members that were not heard yet"
        assert not outbox.answers, "nobody has asked yet"

    def next_deadline_ms(self) -> int | None:
        """When the next session or phase ends."""
        return self._deadlines.next_ms()

    def advance(self, outbox: Outbox) -> None:
        """Ends sessions and phases."""
        answers_max = len(outbox.answers) + ANSWERS_PER_ADVANCE_MAX
        slices = self._rebalancer.slices
        for _ in range(TIMERS_PER_ADVANCE_MAX):
            timer = self._deadlines.pop(outbox.now.monotonic_ms)
            if timer is None:
                break
            timer.action(outbox)
            if len(outbox.answers) >= answers_max or self._rebalancer.slices > slices:
                break

    def abandon(self) -> Sequence[Reply[Any]]:
        """Gives up every group; whoever waits is told by the caller."""
        waiting: list[Reply[Any]] = []
        for group in self._groups.values():
            for member in group.members.values():
                join = group.take_join(member)
                if join is not None:
                    waiting.append(join.reply)
                if member.sync is not None:
                    waiting.append(member.sync)
                    member.sync = None
            _bury(group)
        self._groups.clear()
        return waiting


def _bury(group: ClassicGroup) -> None:
    """Nothing of the group is due any more."""
    group.assert_transition(State.DEAD)
    group.disturbed()
    group.previous, group.state = group.state, State.DEAD
    for member in group.members.values():
        if member.session is not None:
            member.session.cancel()
    for timer in group.pending.values():
        timer.cancel()
    if group.phase is not None:
        group.phase.cancel()
    for telling in (group.telling, group.recording):
        if telling is not None:
            telling.cancel()
