"""All groups and offsets of one partition of ``__consumer_offsets``: gives each request and record to who knows it.

Prior art: Kafka's ``GroupCoordinatorShard``, over a ``GroupMetadataManager`` for groups of every kind. Ours has a core
for each protocol and one for offsets; here is only what more than one of them must know.

Invariants: a group id is held by one protocol at a time; nothing is decided here that a core could.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, final

from ottla.coordinator.machine import Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.classic import ClassicGroups, State, describe
from ottla.groups.client import Client
from ottla.groups.config import GroupsConfig
from ottla.groups.offset_groups import ClassicOffsets
from ottla.groups.offsets.group import OffsetGroup
from ottla.groups.offsets.machine import Offsets
from ottla.groups.records import CLASSIC_KEYS, OFFSET_KEYS
from ottla.wire.k08_offset_commit import OffsetCommitRequest, OffsetCommitResponse
from ottla.wire.k09_offset_fetch import OffsetFetchRequestGroup, OffsetFetchResponseGroup
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupResponse
from ottla.wire.k12_heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.k13_leave_group import LeaveGroupRequest, LeaveGroupResponse
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupResponse
from ottla.wire.k15_describe_groups import DescribedGroup
from ottla.wire.k16_list_groups import ListedGroup
from ottla.wire.k47_offset_delete import OffsetDeleteRequest, OffsetDeleteResponse

__all__ = ["GroupShard"]

UNKNOWN_GROUP_ERROR_SINCE: Final = 6
"""The version of DescribeGroups (KIP-1043)."""
CLASSIC: Final = "classic"


@final
class GroupShard:
    """``Machine`` of ``ottla.coordinator``. ``new_id`` gives a text that nobody had before: a uuid."""

    def __init__(self, config: GroupsConfig, new_id: Callable[[], str]) -> None:
        self._classic = ClassicGroups(config.classic, new_id)
        self._offsets = Offsets(self, config.offsets)

    # --- the classic protocol ---------------------------------------------------------------------------------------

    def join_group(
        self, request: JoinGroupRequest, client: Client, version: int, reply: Reply[JoinGroupResponse], outbox: Outbox
    ) -> None:
        self._classic.join(request, client, version, reply, outbox)

    def sync_group(
        self, request: SyncGroupRequest, client: Client, version: int, reply: Reply[SyncGroupResponse], outbox: Outbox
    ) -> None:
        self._classic.sync(request, client, version, reply, outbox)

    def heartbeat(
        self, request: HeartbeatRequest, client: Client, version: int, reply: Reply[HeartbeatResponse], outbox: Outbox
    ) -> None:
        self._classic.heartbeat(request, client, version, reply, outbox)

    def leave_group(
        self, request: LeaveGroupRequest, client: Client, version: int, reply: Reply[LeaveGroupResponse], outbox: Outbox
    ) -> None:
        self._classic.leave(request, client, version, reply, outbox)

    def describe_group(self, group_id: str, version: int, reply: Reply[DescribedGroup], outbox: Outbox) -> None:
        group = self._classic.get(group_id)
        if group is not None:
            outbox.answer(reply, describe(group))
            return
        says_so = version >= UNKNOWN_GROUP_ERROR_SINCE
        outbox.answer(
            reply,
            DescribedGroup(
                group_id=group_id,
                group_state=State.DEAD.value,
                error_code=ErrorCode.GROUP_ID_NOT_FOUND if says_so else ErrorCode.NONE,
                error_message=f"Group {group_id} not found." if says_so else None,
            ),
        )

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
        outbox.answer(reply, listed)

    def delete_group(self, group_id: str, reply: Reply[ErrorCode], outbox: Outbox) -> None:
        """NONE when it is gone, with all it has committed; GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP."""
        group = self._classic.get(group_id)
        code = ErrorCode.GROUP_ID_NOT_FOUND if group is None else group.validate_delete()
        if code is ErrorCode.NONE:
            self._offsets.delete_all(group_id, outbox)
            self._classic.delete(group_id, outbox)
        outbox.answer(reply, code)

    # --- offsets ----------------------------------------------------------------------------------------------------

    def offset_commit(
        self, request: OffsetCommitRequest, version: int, reply: Reply[OffsetCommitResponse], outbox: Outbox
    ) -> None:
        self._offsets.commit(request, version, reply, outbox)

    def offset_fetch(
        self,
        request: OffsetFetchRequestGroup,
        reply: Reply[OffsetFetchResponseGroup],
        outbox: Outbox,
        *,
        require_stable: bool,
    ) -> None:
        self._offsets.fetch(request, reply, outbox, require_stable=require_stable)

    def offset_delete(self, request: OffsetDeleteRequest, reply: Reply[OffsetDeleteResponse], outbox: Outbox) -> None:
        self._offsets.delete(request, reply, outbox)

    def topic_deleted(self, name: str, topic_id: bytes) -> None:
        """What is committed for it goes, a little later."""
        self._offsets.topic_deleted(name, topic_id)

    # --- what offsets ask of groups (``Groups``) ----------------------------------------------------------------------

    def find(self, group_id: str) -> OffsetGroup | None:
        group = self._classic.get(group_id)
        return None if group is None else ClassicOffsets(self._classic, group)

    def names(self) -> Iterable[str]:
        return (group.group_id for group in self._classic)

    def make_simple(self, group_id: str) -> None:
        self._classic.ensure(group_id)

    def delete_if_empty(self, group_id: str, outbox: Outbox) -> None:
        group = self._classic.get(group_id)
        if group is not None and group.is_empty:
            self._classic.delete(group_id, outbox)

    # --- the machine ------------------------------------------------------------------------------------------------

    def apply(self, record: Record) -> None:
        key = record.key
        if isinstance(key, OFFSET_KEYS):
            self._offsets.apply(record)
        elif isinstance(key, CLASSIC_KEYS):
            self._classic.apply(record)

    def apply_pending(self, producer_id: int, record: Record) -> None:
        if isinstance(record.key, OFFSET_KEYS):
            self._offsets.apply_pending(producer_id, record)

    def loaded(self, now: Now) -> None:
        self._classic.loaded(now)
        self._offsets.loaded(now)

    def next_deadline_ms(self) -> int | None:
        classic_ms, offsets_ms = self._classic.next_deadline_ms(), self._offsets.next_deadline_ms()
        if classic_ms is None or offsets_ms is None:
            return offsets_ms if classic_ms is None else classic_ms
        return min(classic_ms, offsets_ms)

    def advance(self, outbox: Outbox) -> None:
        now_ms = outbox.now.monotonic_ms
        for part in (self._classic, self._offsets):
            due_ms = part.next_deadline_ms()
            if due_ms is not None and due_ms <= now_ms:
                part.advance(outbox)

    def abandon(self) -> Sequence[Reply[Any]]:
        return self._classic.abandon()
