"""Classic members of a consumer group: JoinGroup, SyncGroup, Heartbeat and LeaveGroup, served from the group.

A classic member's generation is its member epoch. It joins to say what it reads and owns, and is reconciled at once;
it syncs to fetch what it has then; a heartbeat tells it when to join again. Nobody waits for anybody: to such a member
every rebalance seems to be one of its own.

Prior art: ``classicGroup…ToConsumerGroup`` of Kafka's ``GroupMetadataManager``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, final

from ottla.coordinator.machine import CoordinatorError, Outbox, Reply
from ottla.errors import ErrorCode
from ottla.groups.classic.answers import HEARTBEATS, join_error, left, sync_error
from ottla.groups.client import Client
from ottla.groups.consumer.checks import (
    require_known,
    require_not_fenced,
    require_room,
    unknown_member,
)
from ottla.groups.consumer.config import MigrationPolicy
from ottla.groups.consumer.core import ConsumerCore
from ottla.groups.consumer.embedded import PROTOCOL_TYPE, ids_of_partitions, read_subscription, write_assignment
from ottla.groups.consumer.group import ConsumerGroup
from ottla.groups.consumer.member import Member, MemberState
from ottla.groups.consumer.migration import downgrade, may_downgrade
from ottla.groups.consumer.reconcile import Target
from ottla.groups.consumer.update import Update, successor
from ottla.records.consumer_offsets import ClassicMemberMetadata, ClassicProtocol
from ottla.records.consumer_protocol import ConsumerProtocolSubscription
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupResponse
from ottla.wire.k12_heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.k13_leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupResponse

__all__ = ["ClassicMembers"]

MEMBER_ID_REQUIRED_FROM: Final = 4
LEAVE_MANY_FROM: Final = 3
SYNC_NAMES_PROTOCOL_FROM: Final = 5


def _nothing(_topic: str) -> bool:
    """A classic member subscribes to no expression: nothing is resolved on its behalf."""
    return False


@final
class ClassicMembers:
    """What classic requests come to in consumer groups. What is wrong with a request in itself was refused
    before."""

    def __init__(self, core: ConsumerCore) -> None:
        self._core = core

    # JoinGroup.

    def join(
        self,
        group: ConsumerGroup,
        request: JoinGroupRequest,
        client: Client,
        version: int,
        reply: Reply[JoinGroupResponse],
        outbox: Outbox,
    ) -> None:
        """The member comes, or comes again: reconciled, and answered at once."""
        try:
            answer = self._join(group, request, client, version, outbox)
        except CoordinatorError as error:
            answer = join_error(error.code, version)
        outbox.answer(reply, answer)

    def _join(
        self, group: ConsumerGroup, request: JoinGroupRequest, client: Client, version: int, outbox: Outbox
    ) -> JoinGroupResponse:
        config = self._core.config
        if config.migration is MigrationPolicy.DISABLED:
            raise _inconsistent(
                f"Cannot join the consumer group {group.group_id} with the classic protocol because the group "
                "migration is disabled."
            )
        instance_id = request.group_instance_id
        is_new = not request.member_id
        member_id = request.member_id or self._core.new_id()
        require_room(group, member_id, instance_id, config.members_max)
        if request.protocol_type != PROTOCOL_TYPE or not any(
            group.classic_protocols[protocol.name] == group.classic_count for protocol in request.protocols
        ):
            raise _inconsistent(f"Member {member_id}'s protocols are not supported.")
        if is_new and instance_id is None and version >= MEMBER_ID_REQUIRED_FROM:
            return join_error(ErrorCode.MEMBER_ID_REQUIRED, version, member_id)
        update = self._member(group, member_id, instance_id, is_new=is_new)
        try:
            subscription = read_subscription(request.protocols[0].metadata)
        except ValueError as error:
            raise _inconsistent("Malformed embedded consumer protocol in subscription deserialization.") from error
        after = _said(update.before, request, subscription, client, instance_id, version)
        self._core.updater.subscribe(update, after, outbox.now)
        old = group.static_member(instance_id)
        if old is not None and may_downgrade(group, (old,), len(group.members), config):
            return self._take_over(update, old, subscription, outbox)
        target = self._core.updater.target(update, outbox.now)
        self._reconcile(update, target, subscription)
        member = self._core.emit(update, _nothing, outbox)
        known = self._core.state.groups.get(group.group_id)
        assert known is not None, "a member has a group"
        sessions, now_ms = self._core.sessions, outbox.now.monotonic_ms
        sessions.joined(known, member.member_id)
        sessions.heard(known, member.member_id, now_ms + request.session_timeout_ms)
        sessions.expect_sync(known, member.member_id, now_ms + after.rebalance_timeout_ms)
        return _joined(member)

    def _member(self, group: ConsumerGroup, member_id: str, instance_id: str | None, *, is_new: bool) -> Update:
        if instance_id is None:
            return Update(group, [], False, group.members.get(member_id) or Member(member_id))
        existing = group.static_member(instance_id)
        if not is_new:
            existing = require_known(existing, instance_id)
            require_not_fenced(existing, member_id, instance_id)
            return Update(group, [], False, existing)
        if existing is None:
            return Update(group, [], False, Member(member_id))
        # Whatever protocol it speaks, whoever comes without a member id takes its place.
        update = Update(group, [], False, successor(existing, member_id))
        update.replace_static(existing)
        return update

    def _reconcile(self, update: Update, target: Target, subscription: ConsumerProtocolSubscription) -> None:
        owned = ((topic.topic, topic.partitions) for topic in subscription.owned_partitions)
        held = ids_of_partitions(owned, self._core.updater.topics)
        self._core.updater.reconcile(update, target, held)

    def _take_over(
        self, update: Update, old: Member, subscription: ConsumerProtocolSubscription, outbox: Outbox
    ) -> JoinGroupResponse:
        """The last member of the new protocol comes back as a classic one: the group is a classic group again. With an
        old target, members have to join for a new one."""
        group, updater = update.group, self._core.updater
        is_stale = group.assignment_epoch < update.epoch
        if not is_stale:
            target = Target(group.assignment_epoch, update.target, updater.topic_ids(group, update.after))
            self._reconcile(update, target, subscription)
        become = downgrade(group, (old,), update.after, updater.topics, outbox.now)
        self._core.classic.adopt(
            group.group_id, become.value, become.protocols, outbox, rebalance=is_stale, instead_of=become.tombstones
        )
        return _joined(update.after)

    # SyncGroup, Heartbeat.

    def sync(
        self,
        group: ConsumerGroup,
        request: SyncGroupRequest,
        version: int,
        reply: Reply[SyncGroupResponse],
        outbox: Outbox,
    ) -> None:
        """The member fetches what it has."""
        try:
            if version >= SYNC_NAMES_PROTOCOL_FROM and None in (request.protocol_type, request.protocol_name):
                raise _inconsistent("The protocol type and name are missing.")
            answer = self._sync(group, request, outbox)
        except CoordinatorError as error:
            answer = sync_error(error.code)
        outbox.answer(reply, answer)

    def _sync(self, group: ConsumerGroup, request: SyncGroupRequest, outbox: Outbox) -> SyncGroupResponse:
        member, classic = _validate(group, request.member_id, request.group_instance_id, request.generation_id)
        protocol = classic.supported_protocols[0]
        if request.protocol_type not in (None, PROTOCOL_TYPE) or request.protocol_name not in (None, protocol.name):
            raise _inconsistent(f"The protocol of member {member.member_id}'s request is not that of its join.")
        now_ms = outbox.now.monotonic_ms
        if group.assignment_epoch > member.epoch and member.state is not MemberState.UNREVOKED_PARTITIONS:
            self._expect_join(group, member, now_ms)
            raise CoordinatorError(
                ErrorCode.REBALANCE_IN_PROGRESS,
                f"Group {group.group_id} has an assignment that is newer than member {member.member_id}.",
            )
        self._core.sessions.synced(group, member.member_id)
        self._core.sessions.heard(group, member.member_id, now_ms + classic.session_timeout_ms)
        try:
            assignment = write_assignment(member.assigned, self._core.topics, protocol.metadata)
        except ValueError as error:
            # It came with a classic group, of which only what was chosen was read.
            raise CoordinatorError(ErrorCode.UNKNOWN_SERVER_ERROR, str(error)) from error
        return SyncGroupResponse(
            protocol_type=request.protocol_type, protocol_name=request.protocol_name, assignment=assignment
        )

    def heartbeat(
        self, group: ConsumerGroup, request: HeartbeatRequest, reply: Reply[HeartbeatResponse], outbox: Outbox
    ) -> None:
        """The member is there, and hears whether it has to join again."""
        try:
            code = self._heartbeat(group, request, reply, outbox)
        except CoordinatorError as error:
            code = error.code
        outbox.answer(reply, HEARTBEATS[code])

    def _heartbeat(
        self, group: ConsumerGroup, request: HeartbeatRequest, reply: Reply[HeartbeatResponse], outbox: Outbox
    ) -> ErrorCode:
        member, classic = _validate(group, request.member_id, request.group_instance_id, request.generation_id)
        now_ms, timeout_ms = outbox.now.monotonic_ms, classic.session_timeout_ms
        session = self._core.sessions.heard(group, member.member_id, now_ms + timeout_ms)
        # It is behind, it has something to give up, or what it waits for is free now.
        if (
            member.epoch < group.assignment_epoch
            or member.state is MemberState.UNREVOKED_PARTITIONS
            or (member.state is MemberState.UNRELEASED_PARTITIONS and not group.waits_for_others(member))
        ):
            self._expect_join(group, member, now_ms)
            return ErrorCode.REBALANCE_IN_PROGRESS
        reply.offer = self._core.standings.offer(group.group_id, member.member_id, session, now_ms, timeout_ms)
        return ErrorCode.NONE

    def _expect_join(self, group: ConsumerGroup, member: Member, now_ms: int) -> None:
        self._core.sessions.expect_join(group, member.member_id, now_ms + member.rebalance_timeout_ms)

    # LeaveGroup.

    def leave(
        self,
        group: ConsumerGroup,
        request: LeaveGroupRequest,
        version: int,
        reply: Reply[LeaveGroupResponse],
        outbox: Outbox,
    ) -> None:
        """Takes members out, of whichever protocol, by member id or, for tools, by instance id alone. Raises
        CoordinatorError, having changed nothing."""
        many = version >= LEAVE_MANY_FROM
        results: list[MemberResponse] = []
        leaving: dict[str, Member] = {}
        for identity in request.members if many else (MemberIdentity(member_id=request.member_id),):
            code = ErrorCode.NONE
            try:
                member = _leaver(group, identity)
                leaving[member.member_id] = member
            except CoordinatorError as error:
                code = error.code
            results.append(
                MemberResponse(
                    member_id=identity.member_id, group_instance_id=identity.group_instance_id, error_code=code
                )
            )
        if leaving:
            self._core.fence(group, tuple(leaving.values()), outbox)
        outbox.answer(reply, left(version, tuple(results)))


def _inconsistent(message: str) -> CoordinatorError:
    return CoordinatorError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, message)


def _said(
    before: Member,
    request: JoinGroupRequest,
    subscription: ConsumerProtocolSubscription,
    client: Client,
    instance_id: str | None,
    version: int,
) -> Member:
    timeout_ms = request.rebalance_timeout_ms if version >= 1 else request.session_timeout_ms
    return replace(
        before,
        instance_id=before.instance_id if instance_id is None else instance_id,
        rack_id=subscription.rack_id or before.rack_id,
        rebalance_timeout_ms=before.rebalance_timeout_ms if timeout_ms == -1 else timeout_ms,
        topic_names=tuple(sorted(set(subscription.topics))),
        topic_regex="",
        client_id=client.client_id,
        client_host=client.host,
        classic=ClassicMemberMetadata(
            session_timeout_ms=request.session_timeout_ms,
            supported_protocols=tuple(ClassicProtocol(name=p.name, metadata=p.metadata) for p in request.protocols),
        ),
    )


def _joined(member: Member) -> JoinGroupResponse:
    assert member.classic is not None, "it has just said that it is"
    return JoinGroupResponse(
        generation_id=member.epoch,
        protocol_type=PROTOCOL_TYPE,
        protocol_name=member.classic.supported_protocols[0].name,
        member_id=member.member_id,
    )


def _validate(
    group: ConsumerGroup, member_id: str, instance_id: str | None, generation: int
) -> tuple[Member, ClassicMemberMetadata]:
    member = _existing(group, member_id, instance_id)
    classic = _require_classic(group, member)
    if generation != member.epoch:
        raise CoordinatorError(
            ErrorCode.ILLEGAL_GENERATION,
            f"The request generation id {generation} is not equal to the member epoch {member.epoch} of member "
            f"{member_id}.",
        )
    return member, classic


def _existing(group: ConsumerGroup, member_id: str, instance_id: str | None) -> Member:
    if instance_id is None:
        member = group.members.get(member_id)
        if member is None:
            raise unknown_member(member_id, group.group_id)
        return member
    member = require_known(group.static_member(instance_id), instance_id)
    require_not_fenced(member, member_id, instance_id)
    return member


def _require_classic(group: ConsumerGroup, member: Member) -> ClassicMemberMetadata:
    if member.classic is None:
        raise CoordinatorError(
            ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member.member_id} does not use the classic protocol."
        )
    return member.classic


def _leaver(group: ConsumerGroup, identity: MemberIdentity) -> Member:
    instance_id = identity.group_instance_id
    if instance_id is not None and not identity.member_id:
        # A tool takes out a static member, whose id it does not know.
        return require_known(group.static_member(instance_id), instance_id)
    return _existing(group, identity.member_id, instance_id)
