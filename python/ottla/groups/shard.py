"""All groups and offsets of one partition of ``__consumer_offsets``: gives each request and record to who knows it.

Prior art: Kafka's ``GroupCoordinatorShard``, over a ``GroupMetadataManager`` for groups of every kind. Ours has a core
for each protocol and one for offsets; here is only what more than one of them must know.

Invariants: a group id is held by one protocol at a time; nothing is decided here that a core could.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final, final

from ottla.coordinator.machine import Leave, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.classic.answers import describe, join_error
from ottla.groups.classic.groups import ClassicGroups
from ottla.groups.classic.state import State
from ottla.groups.client import Client
from ottla.groups.config import GroupsConfig
from ottla.groups.consumer.group import ConsumerGroup
from ottla.groups.consumer.groups import ConsumerGroups
from ottla.groups.consumer.offsets import ConsumerOffsets
from ottla.groups.consumer.regex import Describable
from ottla.groups.consumer.topics import TopicHashes
from ottla.groups.offset_groups import ClassicOffsets
from ottla.groups.offsets.group import OffsetGroup
from ottla.groups.offsets.machine import Offsets
from ottla.groups.offsets.table import OffsetTable
from ottla.groups.records import CLASSIC_KEYS, CONSUMER_KEYS
from ottla.groups.standing import Standings
from ottla.wire.k08_offset_commit import OffsetCommitRequest, OffsetCommitResponse
from ottla.wire.k09_offset_fetch import OffsetFetchRequestGroup, OffsetFetchResponseGroup
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupResponse
from ottla.wire.k12_heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.k13_leave_group import LeaveGroupRequest, LeaveGroupResponse
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupResponse
from ottla.wire.k15_describe_groups import DescribedGroup
from ottla.wire.k16_list_groups import ListedGroup
from ottla.wire.k28_txn_offset_commit import TxnOffsetCommitRequest, TxnOffsetCommitResponse
from ottla.wire.k47_offset_delete import OffsetDeleteRequest, OffsetDeleteResponse
from ottla.wire.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse
from ottla.wire.k69_consumer_group_describe import DescribedGroup as DescribedConsumerGroup

__all__ = ["GroupShard"]

UNKNOWN_GROUP_ERROR_SINCE: Final = 6
"""The version of DescribeGroups (KIP-1043)."""
CLASSIC: Final = "classic"
CONSUMER: Final = "consumer"


@final
class GroupShard:
    """``Machine`` of ``ottla.coordinator``. ``new_id`` gives a text that nobody had before: a uuid. ``hashes``: of the
    topics of the cluster. ``leader_epoch``: of the partition."""

    def __init__(
        self, config: GroupsConfig, new_id: Callable[[], str], hashes: TopicHashes, leader_epoch: int = 0
    ) -> None:
        self._offsets = Offsets(self, config.offsets, leader_epoch)
        self._standings = Standings(told=self._offsets.withdraw, last_commit_ms=self._offsets.last_commit_ms)
        self._classic = ClassicGroups(config.classic, new_id, self._standings)
        self._consumer = ConsumerGroups(config.consumer, hashes, self._classic, new_id, standings=self._standings)
        self._parts = (self._classic, self._consumer, self._offsets)

    # --- the classic protocol ---------------------------------------------------------------------------------------

    def join_group(
        self, request: JoinGroupRequest, client: Client, version: int, reply: Reply[JoinGroupResponse], outbox: Outbox
    ) -> None:
        group = self._consumer.get(request.group_id)
        if group is None:
            self._classic.join(request, client, version, reply, outbox)
        elif group.is_empty:
            instead_of = self._consumer.tombstones(request.group_id)
            self._classic.join(request, client, version, reply, outbox, instead_of=instead_of)
        else:
            error = self._classic.check_join(request)
            if error is not ErrorCode.NONE:
                outbox.answer(reply, join_error(error, version, request.member_id))
            else:
                self._consumer.classic_members.join(group, request, client, version, reply, outbox)

    def sync_group(
        self, request: SyncGroupRequest, client: Client, version: int, reply: Reply[SyncGroupResponse], outbox: Outbox
    ) -> None:
        group = self._consumer.get(request.group_id)
        if group is None:
            self._classic.sync(request, client, version, reply, outbox)
        else:
            self._consumer.classic_members.sync(group, request, version, reply, outbox)

    def heartbeat(
        self, request: HeartbeatRequest, client: Client, version: int, reply: Reply[HeartbeatResponse], outbox: Outbox
    ) -> None:
        group = self._consumer.get(request.group_id)
        if group is None:
            self._classic.heartbeat(request, client, version, reply, outbox)
        else:
            self._consumer.classic_members.heartbeat(group, request, reply, outbox)

    def leave_group(
        self, request: LeaveGroupRequest, client: Client, version: int, reply: Reply[LeaveGroupResponse], outbox: Outbox
    ) -> None:
        group = self._consumer.get(request.group_id)
        if group is None:
            self._classic.leave(request, client, version, reply, outbox)
        else:
            self._consumer.classic_members.leave(group, request, version, reply, outbox)

    def describe_group(self, group_id: str, version: int, reply: Reply[DescribedGroup], outbox: Outbox) -> None:
        group = self._classic.get(group_id)
        if group is not None:
            outbox.answer(reply, describe(group))
            return
        says_so = version >= UNKNOWN_GROUP_ERROR_SINCE
        why = "is not a classic group" if group_id in self._consumer else "not found"
        outbox.answer(
            reply,
            DescribedGroup(
                group_id=group_id,
                group_state=State.DEAD.value,
                error_code=ErrorCode.GROUP_ID_NOT_FOUND if says_so else ErrorCode.NONE,
                error_message=f"Group {group_id} {why}." if says_so else None,
            ),
        )

    # --- the consumer protocol --------------------------------------------------------------------------------------

    def consumer_heartbeat(
        self,
        request: ConsumerGroupHeartbeatRequest,
        client: Client,
        version: int,
        may_describe: Describable,
        reply: Reply[ConsumerGroupHeartbeatResponse],
        outbox: Outbox,
    ) -> None:
        """``may_describe``: what the principal may see, for expressions. Raises CoordinatorError."""
        self._consumer.heartbeat(request, client, version, may_describe, reply, outbox)

    def describe_consumer_group(self, group_id: str, reply: Reply[DescribedConsumerGroup], outbox: Outbox) -> None:
        self._consumer.describe(group_id, reply, outbox)

    def topics_changed(self, names: Collection[str], *, created: bool) -> None:
        """See ``ConsumerGroups``."""
        self._consumer.topics_changed(names, created=created)

    def settings_changed(self) -> None:
        """What is configured, or who may do what: no answer stands that was given before."""
        self._standings.all_disturbed()

    # --- groups of every kind ---------------------------------------------------------------------------------------

    def list_groups(
        self, states: frozenset[str], types: frozenset[str], reply: Reply[list[ListedGroup]], outbox: Outbox
    ) -> None:
        """Those in one of ``states`` and of one of ``types``, both in lower case; empty for all."""
        listed: list[ListedGroup] = []
        if not types or CLASSIC in types:
            listed += (
                ListedGroup(
                    group_id=group.group_id,
                    protocol_type=group.protocol_type or "",
                    group_state=group.state.value,
                    group_type=CLASSIC,
                )
                for group in self._classic
                if not states or group.state.value.lower() in states
            )
        if not types or CONSUMER in types:
            listed += (
                ListedGroup(
                    group_id=group.group_id,
                    protocol_type=CONSUMER,
                    group_state=group.state.value,
                    group_type=CONSUMER,
                )
                for group in self._consumer
                if not states or group.state.value.lower() in states
            )
        outbox.answer(reply, listed)

    def delete_group(self, group_id: str, reply: Reply[ErrorCode], outbox: Outbox) -> None:
        """NONE when it is gone, with all it has committed; GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP."""
        consumer = self._consumer.get(group_id)
        if consumer is not None:
            outbox.answer(reply, self._delete_consumer(consumer, outbox))
            return
        group = self._classic.get(group_id)
        code = ErrorCode.GROUP_ID_NOT_FOUND if group is None else group.validate_delete()
        if code is ErrorCode.NONE:
            self._offsets.delete_all(group_id, outbox)
            self._classic.delete(group_id, outbox)
        outbox.answer(reply, code)

    def _delete_consumer(self, group: ConsumerGroup, outbox: Outbox) -> ErrorCode:
        if not group.is_empty:
            return ErrorCode.NON_EMPTY_GROUP
        self._offsets.delete_all(group.group_id, outbox)
        outbox.emit(*self._consumer.tombstones(group.group_id))
        return ErrorCode.NONE

    # --- offsets ----------------------------------------------------------------------------------------------------

    def offset_commit(
        self,
        request: OffsetCommitRequest,
        version: int,
        reply: Reply[OffsetCommitResponse | Leave],
        outbox: Outbox,
        *,
        may_leave: bool = False,
    ) -> None:
        self._offsets.commit(request, version, reply, outbox, may_leave=may_leave)

    def txn_offset_commit(
        self, request: TxnOffsetCommitRequest, version: int, reply: Reply[TxnOffsetCommitResponse], outbox: Outbox
    ) -> None:
        """Changes nothing: that is for ``offsets_pending``."""
        self._offsets.commit_in_transaction(request, version, reply, outbox)

    def offsets_pending(self, producer_id: int, records: Sequence[Record], later: Sequence[Record]) -> None:
        """These are in the log, in an open transaction; ``later`` came after them, and was applied before."""
        for record in records:
            self._offsets.apply_pending(producer_id, record)
        self._apply_again(later)

    def transaction_ended(self, producer_id: int, later: Sequence[Record], *, is_committed: bool) -> None:
        """A marker is in the log; ``later`` as for ``offsets_pending``."""
        self._offsets.end_transaction(producer_id, is_committed=is_committed)
        self._apply_again(later)

    def _apply_again(self, records: Sequence[Record]) -> None:
        """Offsets alone: no other record has to do with transactions, and of one offset the last record counts."""
        for record in records:
            if type(record.key) is bytes:
                self._offsets.apply(record, is_known=True)

    def offset_fetch(
        self,
        request: OffsetFetchRequestGroup,
        version: int,
        reply: Reply[OffsetFetchResponseGroup],
        outbox: Outbox,
        *,
        require_stable: bool,
    ) -> None:
        self._offsets.fetch(request, version, reply, outbox, require_stable=require_stable)

    def offset_delete(self, request: OffsetDeleteRequest, reply: Reply[OffsetDeleteResponse], outbox: Outbox) -> None:
        self._offsets.delete(request, reply, outbox)

    def topic_deleted(self, name: str, topic_id: bytes) -> None:
        """What is committed for it goes, a little later."""
        self._offsets.topic_deleted(name, topic_id)

    # --- what offsets ask of groups (``Groups``) ----------------------------------------------------------------------

    def find(self, group_id: str) -> OffsetGroup | None:
        group = self._classic.get(group_id)
        if group is not None:
            return ClassicOffsets(self._classic, group)
        consumer = self._consumer.get(group_id)
        return None if consumer is None else ConsumerOffsets(consumer)

    def names(self) -> Iterable[str]:
        yield from (group.group_id for group in self._classic)
        yield from (group.group_id for group in self._consumer)

    def make_simple(self, group_id: str) -> None:
        if group_id not in self._classic and group_id not in self._consumer:
            self._classic.ensure(group_id)

    def delete_if_empty(self, group_id: str, outbox: Outbox) -> None:
        group = self._classic.get(group_id)
        if group is not None:
            if group.is_empty:
                self._classic.delete(group_id, outbox)
            return
        consumer = self._consumer.get(group_id)
        if consumer is not None and consumer.is_empty:
            outbox.emit(*self._consumer.tombstones(group_id))

    # --- the machine ------------------------------------------------------------------------------------------------

    def apply(self, record: Record) -> None:
        key = record.key
        if type(key) is bytes:
            self._offsets.apply(record)
        elif isinstance(key, CLASSIC_KEYS):
            self._classic.apply(record)
        elif isinstance(key, CONSUMER_KEYS):
            if record.value is not None and key.group_id not in self._consumer:
                self._classic.yield_simple(key.group_id)
            self._consumer.apply(record)

    def apply_pending(self, producer_id: int, record: Record) -> None:
        if type(record.key) is bytes:
            self._offsets.apply_pending(producer_id, record)

    def intake(self) -> OffsetTable:
        return self._offsets.table

    def digest(self) -> Iterator[None]:
        return self._offsets.digest()

    def emitted(self) -> Callable[[], None] | None:
        return self._offsets.emitted()

    def loaded(self, now: Now) -> None:
        self._classic.loaded(now)
        self._consumer.loaded(now)
        self._offsets.loaded(now)

    def next_deadline_ms(self) -> int | None:
        earliest_ms: int | None = None
        for part in self._parts:
            due_ms = part.next_deadline_ms()
            if due_ms is not None and (earliest_ms is None or due_ms < earliest_ms):
                earliest_ms = due_ms
        return earliest_ms

    def advance(self, outbox: Outbox) -> None:
        now_ms = outbox.now.monotonic_ms
        for part in self._parts:
            due_ms = part.next_deadline_ms()
            if due_ms is not None and due_ms <= now_ms:
                part.advance(outbox)

    def abandon(self) -> Sequence[Reply[Any]]:
        self._standings.all_disturbed()
        self._offsets.abandon()
        return self._classic.abandon()
