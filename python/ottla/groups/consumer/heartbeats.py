"""ConsumerGroupHeartbeat: a member joins, is there, says something new, or goes.

Prior art: ``consumerGroupHeartbeat`` and ``consumerGroupLeave`` of Kafka's ``GroupMetadataManager``, whose order of
checks this has. Ours answers a heartbeat that says nothing new without a look at anything but the member: that is
nearly all of them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple, final

from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.client import Client
from ottla.groups.consumer.checks import (
    require_epoch,
    require_known,
    require_not_fenced,
    require_released,
    require_room,
    require_valid,
    unknown_member,
)
from ottla.groups.consumer.config import GroupSettings
from ottla.groups.consumer.core import ConsumerCore
from ottla.groups.consumer.group import ConsumerGroup
from ottla.groups.consumer.leaving import away_record
from ottla.groups.consumer.member import LEAVE, LEAVE_FOR_A_WHILE, Member, MemberState
from ottla.groups.consumer.migration import upgrade
from ottla.groups.consumer.reconcile import Held
from ottla.groups.consumer.regex import Describable
from ottla.groups.consumer.update import Update, successor
from ottla.wire.k68_consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)

__all__ = ["Heartbeats"]


class _Start(NamedTuple):
    """A group as a request finds it, or makes it."""

    group: ConsumerGroup
    records: list[Record]
    """What makes it, where it is new."""
    dissolves: bool
    """It is a classic group until then."""


@final
class Heartbeats:
    """The requests."""

    def __init__(self, core: ConsumerCore) -> None:
        self._core = core
        self._groups = core.state.groups

    def heartbeat(
        self,
        request: ConsumerGroupHeartbeatRequest,
        client: Client,
        version: int,
        describable: Describable,
        reply: Reply[ConsumerGroupHeartbeatResponse],
        outbox: Outbox,
    ) -> None:
        """Raises CoordinatorError, having changed nothing."""
        group = self._groups.get(request.group_id)
        if group is not None:
            member = group.members.get(request.member_id)
            if member is not None and self._says_nothing_new(group, member, request, client, outbox.now):
                self._answer_again(group, member, reply, outbox)
                return
        require_valid(request, version, self._core.config.assignors)
        if request.member_epoch in (LEAVE, LEAVE_FOR_A_WHILE):
            outbox.answer(reply, self._leave(request, outbox))
        else:
            outbox.answer(reply, self._update(request, client, describable, outbox))

    def _says_nothing_new(
        self, group: ConsumerGroup, member: Member, request: ConsumerGroupHeartbeatRequest, client: Client, now: Now
    ) -> bool:
        """Is all the same, and the member where the target wants it?"""
        return (
            request.member_epoch == member.epoch == group.assignment_epoch == group.epoch > 0
            and request.subscribed_topic_names is None
            and request.subscribed_topic_regex is None
            and request.server_assignor is None
            and request.rebalance_timeout_ms in (-1, member.rebalance_timeout_ms)
            and request.instance_id == member.instance_id
            and request.rack_id in (None, member.rack_id)
            and member.state is MemberState.STABLE
            and member.classic is None
            and group.is_fresh
            and client == (member.client_id, member.client_host)
            and not (group.regex_subscribers and self._core.updater.regexes_are_old(group, now))
        )

    def _answer_again(
        self,
        group: ConsumerGroup,
        member: Member,
        reply: Reply[ConsumerGroupHeartbeatResponse],
        outbox: Outbox,
    ) -> None:
        """What it hears it will hear until something happens."""
        now_ms, settings = outbox.now.monotonic_ms, self._core.config.settings(group.group_id)
        session = self._core.sessions.heard(group, member.member_id, now_ms + settings.session_timeout_ms)
        offer = self._core.standings.offer
        if group.regex_subscribers:
            offer = partial(self._core.standings.offer_while, self._core.updater.regexes_last_ms(group, outbox.now))
        reply.offer = offer(group.group_id, member.member_id, session, now_ms, settings.session_timeout_ms)
        outbox.answer(reply, _response(member, settings, None))

    def _heard(
        self, group: ConsumerGroup, member: Member, now: Now, assignment: Assignment | None
    ) -> ConsumerGroupHeartbeatResponse:
        settings = self._core.config.settings(group.group_id)
        self._core.sessions.heard(group, member.member_id, now.monotonic_ms + settings.session_timeout_ms)
        return _response(member, settings, assignment)

    # It is there.

    def _update(
        self, request: ConsumerGroupHeartbeatRequest, client: Client, describable: Describable, outbox: Outbox
    ) -> ConsumerGroupHeartbeatResponse:
        start = self._start(request)
        require_room(start.group, request.member_id, request.instance_id, self._core.config.members_max)
        held: Held = None
        if request.topic_partitions is not None:
            held = {topic.topic_id: frozenset(topic.partitions) for topic in request.topic_partitions}
        update = self._member(start, request, held)
        updater = self._core.updater
        updater.subscribe(update, _said(update.before, request, client), outbox.now)
        updater.reconcile(update, updater.target(update, outbox.now), held)
        member = self._core.emit(update, describable, outbox)
        is_full = (
            request.rebalance_timeout_ms != -1
            and (request.subscribed_topic_names is not None or request.subscribed_topic_regex is not None)
            and held is not None
        )
        shows = request.member_epoch == 0 or is_full or _holdings(member) != _holdings(update.before)
        group = self._groups[request.group_id]
        return self._heard(group, member, outbox.now, _assignment(member) if shows else None)

    def _start(self, request: ConsumerGroupHeartbeatRequest) -> _Start:
        group_id = request.group_id
        known = self._groups.get(group_id)
        if known is not None:
            return _Start(known, [], False)
        classic = self._core.classic.get(group_id)
        if request.member_epoch != 0:
            why = f"Consumer group {group_id} not found."
            if classic is not None:
                why = f"Group {group_id} is not a consumer group."
            raise CoordinatorError(ErrorCode.GROUP_ID_NOT_FOUND, why)
        if classic is None or classic.is_empty:
            return _Start(ConsumerGroup(group_id), [], classic is not None)
        return _Start(*upgrade(classic, self._core.config, self._core.hashes), True)

    def _member(self, start: _Start, request: ConsumerGroupHeartbeatRequest, held: Held) -> Update:
        """The member that the request is of, as far as it is one already."""
        group = start.group
        joins = request.member_epoch == 0
        member_id = request.member_id or self._core.new_id()
        instance_id = request.instance_id
        if instance_id is None:
            member = group.members.get(member_id)
            if member is None:
                if not joins:
                    raise unknown_member(member_id, group.group_id)
                return Update(*start, Member(member_id))
            require_epoch(member, request.member_epoch, held)
            return Update(*start, member)
        existing = group.static_member(instance_id)
        if not joins:
            existing = require_known(existing, instance_id)
            require_not_fenced(existing, member_id, instance_id)
            require_epoch(existing, request.member_epoch, held)
            return Update(*start, existing)
        if existing is None:
            return Update(*start, group.members.get(member_id) or Member(member_id))
        if existing.classic is None:
            require_released(existing, member_id, instance_id)
        update = Update(*start, successor(existing, member_id))
        update.replace_static(existing)
        return update

    # It goes.

    def _leave(self, request: ConsumerGroupHeartbeatRequest, outbox: Outbox) -> ConsumerGroupHeartbeatResponse:
        group_id, member_id, instance_id = request.group_id, request.member_id, request.instance_id
        group = self._groups.get(group_id)
        if group is None:
            is_other = self._core.classic.get(group_id) is not None
            raise CoordinatorError(
                ErrorCode.GROUP_ID_NOT_FOUND,
                f"Group {group_id} is not a consumer group." if is_other else f"Group {group_id} not found.",
            )
        if instance_id is None:
            member = group.members.get(member_id)
            if member is None:
                raise unknown_member(member_id, group_id)
        else:
            member = require_known(group.static_member(instance_id), instance_id)
            require_not_fenced(member, member_id, instance_id)
        if request.member_epoch == LEAVE_FOR_A_WHILE:
            outbox.emit(away_record(group, member))
        else:
            self._core.fence(group, (member,), outbox)
        return ConsumerGroupHeartbeatResponse(member_id=member_id, member_epoch=request.member_epoch)


def _said(before: Member, request: ConsumerGroupHeartbeatRequest, client: Client) -> Member:
    """The member with what the request says; null is as before."""
    names, regex = request.subscribed_topic_names, request.subscribed_topic_regex
    timeout_ms = request.rebalance_timeout_ms
    return replace(
        before,
        instance_id=before.instance_id if request.instance_id is None else request.instance_id,
        rack_id=before.rack_id if request.rack_id is None else request.rack_id,
        rebalance_timeout_ms=before.rebalance_timeout_ms if timeout_ms == -1 else timeout_ms,
        assignor=before.assignor if request.server_assignor is None else request.server_assignor,
        topic_names=before.topic_names if names is None else tuple(sorted(set(names))),
        topic_regex=before.topic_regex if regex is None else regex,
        client_id=client.client_id,
        client_host=client.host,
        classic=None,
    )


def _response(member: Member, settings: GroupSettings, assignment: Assignment | None) -> ConsumerGroupHeartbeatResponse:
    return ConsumerGroupHeartbeatResponse(
        member_id=member.member_id,
        member_epoch=member.epoch,
        heartbeat_interval_ms=settings.heartbeat_interval_ms,
        assignment=assignment,
    )


def _holdings(member: Member) -> dict[bytes, tuple[int, ...]]:
    return {topic_id: tuple(epochs) for topic_id, epochs in member.assigned.items()}


def _assignment(member: Member) -> Assignment:
    return Assignment(
        topic_partitions=tuple(
            TopicPartitions(topic_id=topic_id, partitions=tuple(epochs)) for topic_id, epochs in member.assigned.items()
        )
    )
