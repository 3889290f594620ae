"""The consumer groups of one partition of ``__consumer_offsets``: the ways in.

A member says everything in one request, ConsumerGroupHeartbeat, and hears everything in its answer; nothing waits.
A group exists from its first record to its tombstone. An expression that somebody subscribes with is resolved between
requests, as something that is due.

Prior art: the modern half of Kafka's ``GroupMetadataManager``. Ours answers a heartbeat that says nothing new without a
look at anything but the member: that is nearly all of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final, final

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
from ottla.groups.consumer.config import ConsumerConfig
from ottla.groups.consumer.describing import describe
from ottla.groups.consumer.group import ConsumerGroup
from ottla.groups.consumer.leaving import away_record, fencing_records
from ottla.groups.consumer.member import LEAVE, LEAVE_FOR_A_WHILE, Member, MemberState
from ottla.groups.consumer.reconcile import Held
from ottla.groups.consumer.records import epoch_record, group_tombstones, regex_record
from ottla.groups.consumer.regex import Answer, Compile, Describable, Question, resolve
from ottla.groups.consumer.sessions import Sessions
from ottla.groups.consumer.state import ConsumerState
from ottla.groups.consumer.topics import TopicHashes, Topics
from ottla.groups.consumer.update import REGEX_INTERVAL_MS, Update, Updater, successor
from ottla.groups.deadlines import Deadlines
from ottla.wire.k68_consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from ottla.wire.k69_consumer_group_describe import DescribedGroup
from ottla.wire.schema import replace as message_replace

__all__ = ["ConsumerGroups"]

TIMERS_PER_ADVANCE_MAX: Final = 64
SLICES_PER_ADVANCE: Final = 4
"""Some milliseconds of work; what is left is due at once."""


@final
class ConsumerGroups:
    """A machine of its own, and a part of the shard that holds groups of every protocol. ``new_id`` gives a text that
    nobody had before: a uuid."""

    def __init__(
        self, config: ConsumerConfig, topics: Topics, hashes: TopicHashes, compile_: Compile, new_id: Callable[[], str]
    ) -> None:
        self._config = config
        self._topics = topics
        self._hashes = hashes
        self._compile = compile_
        self._new_id = new_id
        self._state = ConsumerState()
        self._groups = self._state.groups
        self._deadlines = Deadlines()
        self._sessions = Sessions(self._deadlines, self._fence)
        self._created_version = topics.version
        self._updater = Updater(config, topics, hashes, compile_, lambda: self._created_version)
        self._resolving: deque[Iterator[Answer | None]] = deque()
        self._resolving_since_ms = 0

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[ConsumerGroup]:
        return iter(self._groups.values())

    def __contains__(self, group_id: str) -> bool:
        return group_id in self._groups

    def get(self, group_id: str) -> ConsumerGroup | None:
        return self._groups.get(group_id)

    # Requests.

    def heartbeat(
        self,
        request: ConsumerGroupHeartbeatRequest,
        client: Client,
        version: int,
        describable: Describable,
        reply: Reply[ConsumerGroupHeartbeatResponse],
        outbox: Outbox,
    ) -> None:
        """A member joins, is there, or leaves. ``describable``: what its principal may see, for expressions. Raises
        CoordinatorError, having changed nothing."""
        group = self._groups.get(request.group_id)
        if group is not None:
            member = group.members.get(request.member_id)
            if member is not None and self._says_nothing_new(group, member, request, client, outbox.now):
                outbox.answer(reply, self._heard(group, member, outbox.now))
                return
        require_valid(request, version, self._config.assignors)
        if request.member_epoch in (LEAVE, LEAVE_FOR_A_WHILE):
            outbox.answer(reply, self._leave(request, outbox))
        else:
            outbox.answer(reply, self._update(group, request, client, describable, outbox))

    def _says_nothing_new(
        self, group: ConsumerGroup, member: Member, request: ConsumerGroupHeartbeatRequest, client: Client, now: Now
    ) -> bool:
        """Is it all the same, with the member where the target wants it?"""
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
            and not (
                group.regex_subscribers and self._updater.regexes_are_old(group, len(group.regex_subscribers), now)
            )
        )

    def _heard(self, group: ConsumerGroup, member: Member, now: Now) -> ConsumerGroupHeartbeatResponse:
        settings = self._config.settings(group.group_id)
        self._sessions.heard(group, member.member_id, now.monotonic_ms + settings.session_timeout_ms)
        return ConsumerGroupHeartbeatResponse(
            member_id=member.member_id,
            member_epoch=member.epoch,
            heartbeat_interval_ms=settings.heartbeat_interval_ms,
        )

    def _update(
        self,
        known: ConsumerGroup | None,
        request: ConsumerGroupHeartbeatRequest,
        client: Client,
        describable: Describable,
        outbox: Outbox,
    ) -> ConsumerGroupHeartbeatResponse:
        now = outbox.now
        records: list[Record] = []
        group = self._group(known, request, records)
        require_room(group, request.member_id, request.instance_id, self._config.members_max)
        held: Held = None
        if request.topic_partitions is not None:
            held = {topic.topic_id: frozenset(topic.partitions) for topic in request.topic_partitions}
        update = self._member(group, request, held, records)
        self._updater.subscribe(update, _said(update.before, request, client), now)
        self._updater.reconcile(update, self._updater.target(update, now), held)
        member = self.emit(update, describable, outbox)
        response = self._heard(self._groups[group.group_id], member, now)
        is_full = (
            request.rebalance_timeout_ms != -1
            and (request.subscribed_topic_names is not None or request.subscribed_topic_regex is not None)
            and held is not None
        )
        if request.member_epoch == 0 or is_full or _holdings(member) != _holdings(update.before):
            response = message_replace(response, assignment=_assignment(member))
        return response

    def _group(
        self, known: ConsumerGroup | None, request: ConsumerGroupHeartbeatRequest, records: list[Record]
    ) -> ConsumerGroup:
        if known is not None:
            return known
        if request.member_epoch != 0:
            raise CoordinatorError(ErrorCode.GROUP_ID_NOT_FOUND, f"Consumer group {request.group_id} not found.")
        return ConsumerGroup(request.group_id)

    def _member(
        self, group: ConsumerGroup, request: ConsumerGroupHeartbeatRequest, held: Held, records: list[Record]
    ) -> Update:
        """The member that the request is of, as far as it is one already."""
        joins = request.member_epoch == 0
        member_id = request.member_id or self._new_id()
        instance_id = request.instance_id
        if instance_id is None:
            member = group.members.get(member_id)
            if member is None:
                if not joins:
                    raise unknown_member(member_id, group.group_id)
                return Update(group, Member(member_id), records)
            require_epoch(member, request.member_epoch, held)
            return Update(group, member, records)
        existing = group.static_member(instance_id)
        if not joins:
            existing = require_known(existing, instance_id)
            require_not_fenced(existing, member_id, instance_id)
            require_epoch(existing, request.member_epoch, held)
            return Update(group, existing, records)
        if existing is None:
            return Update(group, group.members.get(member_id) or Member(member_id), records)
        if existing.classic is None:
            require_released(existing, member_id, instance_id)
        update = Update(group, successor(existing, member_id), records)
        update.replace_static(existing)
        return update

    def emit(self, update: Update, describable: Describable, outbox: Outbox) -> Member:
        """The member as the update makes it; and what is soft."""
        outbox.emit(*update.records)
        now, after = outbox.now, update.after
        group = self._groups.get(update.group.group_id)
        assert group is not None, "a member that joins writes a record"
        if update.refreshed:
            group.is_fresh = True
        if update.asks:
            self._ask(group, update.asks, describable, now)
        if after.classic is None and update.moved:
            if after.state is MemberState.UNREVOKED_PARTITIONS:
                at_ms = now.monotonic_ms + after.rebalance_timeout_ms
                self._sessions.expect_revocation(group, after.member_id, after.epoch, at_ms)
            else:
                self._sessions.revoked(group, after.member_id)
        return after

    def _leave(self, request: ConsumerGroupHeartbeatRequest, outbox: Outbox) -> ConsumerGroupHeartbeatResponse:
        group_id, member_id, instance_id = request.group_id, request.member_id, request.instance_id
        group = self._groups.get(group_id)
        if group is None:
            raise CoordinatorError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
        if instance_id is None:
            member = group.members.get(member_id)
            if member is None:
                raise unknown_member(member_id, group_id)
        else:
            member = require_known(group.static_member(instance_id), instance_id)
            require_not_fenced(member, member_id, instance_id)
        if request.member_epoch == LEAVE_FOR_A_WHILE and instance_id is not None:
            outbox.emit(away_record(group, member))
        else:
            self.fence((member,), group, outbox)
        return ConsumerGroupHeartbeatResponse(member_id=member_id, member_epoch=request.member_epoch)

    def fence(self, members: Sequence[Member], group: ConsumerGroup, outbox: Outbox) -> None:
        """Takes members out, whether they know it or not."""
        outbox.emit(*fencing_records(group, members, self._hashes))

    def _fence(self, group_id: str, member_id: str, outbox: Outbox) -> None:
        group = self._groups[group_id]
        self.fence((group.members[member_id],), group, outbox)

    def describe(self, group_id: str, reply: Reply[DescribedGroup], outbox: Outbox) -> None:
        """The group with its members, or GROUP_ID_NOT_FOUND."""
        group = self._groups.get(group_id)
        if group is None:
            outbox.refuse(reply, ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
        else:
            outbox.answer(reply, describe(group, self._topics, self._config.assignors[0]))

    # Other protocols and offsets.

    def delete(self, group_id: str, outbox: Outbox) -> None:
        """Forgets a group without members: writes its tombstones."""
        group = self._groups[group_id]
        assert group.is_empty, "a group with members is not deleted"
        outbox.emit(*group_tombstones(group_id, (), tuple(group.regexes)))

    # Topics and expressions.

    def topics_changed(self, names: Collection[str], *, created: bool) -> None:
        """Topics were created, deleted, or got partitions; ``topics`` and ``hashes`` know it already. ``created``: some
        are new, so that expressions may match more."""
        if created:
            self._created_version = self._topics.version
        self._state.stale(names)

    def _ask(self, group: ConsumerGroup, expressions: tuple[str, ...], describable: Describable, now: Now) -> None:
        group.is_asking = True
        if not self._resolving:
            self._resolving_since_ms = now.monotonic_ms
        question = Question(group.group_id, expressions, describable)
        topics = self._topics
        self._resolving.append(resolve(question, self._compile, topics.names(), topics.version, now.wall_ms))

    def _resolve(self, outbox: Outbox) -> None:
        for _ in range(SLICES_PER_ADVANCE):
            if not self._resolving:
                return
            answer = next(self._resolving[0])
            if answer is not None:
                self._resolving.popleft()
                self._learn(answer, outbox)

    def _learn(self, answer: Answer, outbox: Outbox) -> None:
        """What expressions match now. Topics that came or went are a new epoch of the group."""
        group = self._groups.get(answer.group_id)
        if group is None:
            return
        group.is_asking = False
        records: list[Record] = []
        names = group.topics.copy()
        changed = False
        for expression, resolved in answer.found.items():
            if not group.regex_subscribers[expression]:
                continue
            before = group.regexes.get(expression)
            if before is None or before.topics != resolved.topics:
                changed = True
                names.subtract(() if before is None else before.topics)
                names.update(resolved.topics)
            records.append(regex_record(group.group_id, expression, resolved))
        metadata_hash = self._hashes.of_group(name for name, count in names.items() if count > 0)
        if changed or metadata_hash != group.metadata_hash:
            records.append(epoch_record(group.group_id, group.epoch + 1, metadata_hash))
            changed = True
        try:
            outbox.emit(*records)
        except CoordinatorError:
            # Too many topics for a record: the members keep what they have.
            group.asks_from_ms = outbox.now.wall_ms + REGEX_INTERVAL_MS
        else:
            group.is_fresh = group.is_fresh or changed

    # The machine.

    def apply(self, record: Record) -> None:
        """Takes the records of types 3 to 8 and 16."""
        self._state.apply(record)

    def loaded(self, now: Now) -> None:
        """Every member gets a session, and its time to give partitions up."""
        for group in self._groups.values():
            session_ms = self._config.settings(group.group_id).session_timeout_ms
            for member in group.members.values():
                self._sessions.heard(group, member.member_id, now.monotonic_ms + session_ms)
                if member.state is MemberState.UNREVOKED_PARTITIONS:
                    at_ms = now.monotonic_ms + member.rebalance_timeout_ms
                    self._sessions.expect_revocation(group, member.member_id, member.epoch, at_ms)

    def next_deadline_ms(self) -> int | None:
        """When the next session ends; or at once, while expressions are resolved."""
        next_ms = self._deadlines.next_ms()
        if not self._resolving:
            return next_ms
        return self._resolving_since_ms if next_ms is None else min(next_ms, self._resolving_since_ms)

    def advance(self, outbox: Outbox) -> None:
        """Ends sessions, and finds the topics of expressions."""
        for _ in range(TIMERS_PER_ADVANCE_MAX):
            timer = self._deadlines.pop(outbox.now.monotonic_ms)
            if timer is None:
                break
            timer.action(outbox)
        self._resolve(outbox)


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


def _holdings(member: Member) -> dict[bytes, tuple[int, ...]]:
    return {topic_id: tuple(epochs) for topic_id, epochs in member.assigned.items()}


def _assignment(member: Member) -> Assignment:
    return Assignment(
        topic_partitions=tuple(
            TopicPartitions(topic_id=topic_id, partitions=tuple(epochs)) for topic_id, epochs in member.assigned.items()
        )
    )
