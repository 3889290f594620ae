"""A member of a classic group that does what it is told, one request at a time, and says what it owns.

Prior art: Kafka's ``ClassicGroup`` tests over ``RequestTest``. Ours assigns as simply as can be: partition ``p``
belongs to the member at place ``p`` modulo their number, in the order of their ids.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, final

from ottla.errors import ErrorCode
from ottla.wire.k08_offset_commit import OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic
from ottla.wire.k09_offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k13_leave_group import LeaveGroupRequest, MemberIdentity
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from tests.support.raw import TIMEOUT_S, Connection

__all__ = ["RawMember", "commit_offsets", "committed_offsets", "wait_coordinated"]

ASK_AGAIN: Final = frozenset(
    (
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
    )
)
PAUSE_S: Final = 0.01
PROTOCOL: Final = "by-number"
PROTOCOL_TYPE: Final = "raw"
"""No consumer: what members know of each other is not looked into."""
REJOIN: Final = frozenset((ErrorCode.REBALANCE_IN_PROGRESS, ErrorCode.ILLEGAL_GENERATION, ErrorCode.UNKNOWN_MEMBER_ID))


def wait_coordinated(connection: Connection, *group_ids: str) -> None:
    """Returns when each group has a coordinator that has loaded."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        found = connection.ask(FindCoordinatorRequest(coordinator_keys=group_ids), 4)
        codes = {each.error_code for each in found.coordinators}
        if codes == {0}:
            groups = tuple(OffsetFetchRequestGroup(group_id=group_id, topics=None) for group_id in group_ids)
            codes = {each.error_code for each in connection.ask(OffsetFetchRequest(groups=groups), 8).groups}
            if codes == {0}:
                return
        assert codes <= ASK_AGAIN | {0}, [ErrorCode(code).name for code in codes]
        assert time.monotonic() < deadline, f"no coordinator after {TIMEOUT_S:g} s: {codes}"
        time.sleep(PAUSE_S)


def commit_offsets(
    connection: Connection,
    group_id: str,
    topic: str,
    offsets: dict[int, int],
    generation: int = -1,
    member_id: str = "",
) -> int:
    """Commits offsets by partition in one request; the first error code that is not NONE, or NONE."""
    partitions = tuple(
        OffsetCommitRequestPartition(partition_index=index, committed_offset=offset, committed_metadata="")
        for index, offset in offsets.items()
    )
    request = OffsetCommitRequest(
        group_id=group_id,
        generation_id_or_member_epoch=generation,
        member_id=member_id,
        topics=(OffsetCommitRequestTopic(name=topic, partitions=partitions),),
    )
    answer = connection.ask(request, 9)
    codes = [each.error_code for each in answer.topics[0].partitions]
    return next((code for code in codes if code), 0)


def committed_offsets(connection: Connection, *group_ids: str) -> dict[str, dict[int, int]]:
    """What is committed, by group and partition, of all topics; -1 is left out."""
    groups = tuple(OffsetFetchRequestGroup(group_id=group_id, topics=None) for group_id in group_ids)
    answer = connection.ask(OffsetFetchRequest(groups=groups, require_stable=True), 8)
    assert all(group.error_code == 0 for group in answer.groups), answer
    return {
        group.group_id: {
            partition.partition_index: partition.committed_offset
            for topic in group.topics
            for partition in topic.partitions
            if partition.committed_offset >= 0
        }
        for group in answer.groups
    }


@final
class RawMember:
    """One member over one connection. One thread; everything blocks."""

    def __init__(
        self,
        connection: Connection,
        group_id: str,
        partitions: int,
        *,
        member_id: str = "",
        session_ms: int = 10_000,
        rebalance_ms: int = 10_000,
    ) -> None:
        self.connection = connection
        self.group_id = group_id
        self.member_id = member_id
        self.generation = -1
        self.owned: tuple[int, ...] = ()
        self._partitions = partitions
        self._session_ms = session_ms
        self._rebalance_ms = rebalance_ms
        self._members: Sequence[str] | None = None
        """Of the generation that was joined, for its leader."""

    def join(self) -> int:
        """Joins, and waits for the others; the error code."""
        self.owned = ()
        answer = self.connection.ask(
            JoinGroupRequest(
                group_id=self.group_id,
                session_timeout_ms=self._session_ms,
                rebalance_timeout_ms=self._rebalance_ms,
                member_id=self.member_id,
                protocol_type=PROTOCOL_TYPE,
                protocols=(JoinGroupRequestProtocol(name=PROTOCOL, metadata=b""),),
            ),
            9,
        )
        code: int = answer.error_code
        if code == ErrorCode.MEMBER_ID_REQUIRED:
            self.member_id = answer.member_id
        elif code == ErrorCode.UNKNOWN_MEMBER_ID:
            self.member_id = ""
        elif code == 0:
            self.member_id, self.generation = answer.member_id, answer.generation_id
            leads = answer.leader == answer.member_id and not answer.skip_assignment
            self._members = sorted(each.member_id for each in answer.members) if leads else None
        return code

    def sync(self) -> int:
        """Brings the assignment if this member leads, and gets its own part; the error code."""
        members = self._members or ()
        given = tuple(
            SyncGroupRequestAssignment(
                member_id=member_id, assignment=bytes(range(place, self._partitions, len(members)))
            )
            for place, member_id in enumerate(members)
        )
        answer = self.connection.ask(
            SyncGroupRequest(
                group_id=self.group_id,
                generation_id=self.generation,
                member_id=self.member_id,
                protocol_type=PROTOCOL_TYPE,
                protocol_name=PROTOCOL,
                assignments=given,
            ),
            5,
        )
        code: int = answer.error_code
        if code == 0:
            self.owned = tuple(answer.assignment)
        elif code == ErrorCode.UNKNOWN_MEMBER_ID:
            self.member_id = ""
        return code

    def enter(self) -> None:
        """Joins and syncs until it is a member of a stable group. What cannot be helped is an assertion."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            code = self.join() or self.sync()
            if code == 0:
                return
            assert time.monotonic() < deadline, f"does not get in: {ErrorCode(code).name}"
            if code in ASK_AGAIN:
                time.sleep(PAUSE_S)
            else:
                assert code in REJOIN | {ErrorCode.MEMBER_ID_REQUIRED}, ErrorCode(code).name

    def heartbeat(self) -> int:
        """The error code."""
        request = HeartbeatRequest(group_id=self.group_id, generation_id=self.generation, member_id=self.member_id)
        code: int = self.connection.ask(request, 4).error_code
        return code

    def commit(self, topic: str, offsets: dict[int, int]) -> int:
        """The error code."""
        return commit_offsets(self.connection, self.group_id, topic, offsets, self.generation, self.member_id)

    def leave(self) -> int:
        """The error code."""
        request = LeaveGroupRequest(group_id=self.group_id, members=(MemberIdentity(member_id=self.member_id),))
        answer = self.connection.ask(request, 5)
        code: int = answer.error_code or answer.members[0].error_code
        self.owned = ()
        if code not in ASK_AGAIN:
            self.member_id = ""
        return code
