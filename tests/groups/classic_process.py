"""A consumer's process as dumb as may be: what it believes of its group, what it asks next, what it makes of an answer.

It follows the rules of Kafka's Java client and knows nothing of the coordinator's code.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final, final

from ottla.errors import ErrorCode
from ottla.groups.client import Client
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from ottla.wire.k12_heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.k13_leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse

__all__ = ["ERAS", "Process"]

ERAS: Final = ((0, 0, 0, 0), (3, 2, 2, 2), (5, 3, 3, 3), (7, 5, 4, 4), (9, 5, 4, 5))
"""The versions of JoinGroup, SyncGroup, Heartbeat and LeaveGroup that clients of some time speak."""
STATIC_FROM: Final = 5
SYNC_NAMES_FROM: Final = 5
FORGETS: Final = (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION)
GIVES_UP: Final = (
    ErrorCode.FENCED_INSTANCE_ID,
    ErrorCode.GROUP_MAX_SIZE_REACHED,
    ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
)


@final
class Process:
    """One process, a member of one group as long as it lives."""

    def __init__(
        self, name: str, group_id: str, instance_id: str | None, protocols: tuple[str, ...], rng: Random
    ) -> None:
        eras = [era for era in ERAS if instance_id is None or era[0] >= STATIC_FROM]
        self.join_version, self.sync_version, self.heartbeat_version, self.leave_version = rng.choice(eras)
        self.name = name
        self.client = Client(f"client-{name}", f"/10.0.0.{rng.randrange(4)}")
        self.group_id = group_id
        self.instance_id = instance_id
        self.session_ms = rng.choice((6_000, 10_000, 45_000))
        self.rebalance_ms = rng.choice((5_000, 20_000, 300_000))
        self.protocols = protocols
        self.is_alive = True
        self.paused_until_ms = 0
        self.waits_for: int | None = None
        """The number of the request whose answer it waits for."""
        self.member_id = ""
        self.generation = -1
        self.share: bytes | None = None
        """What it was given in this generation."""
        self._protocol: str | None = None
        self._asked = protocols
        self._leads: tuple[str, ...] = ()
        """Whom it has to give shares."""
        self._joins = True
        self._rng = rng

    def next_request(self) -> tuple[Any, int]:
        """What it asks when it is waiting for nothing."""
        if self._joins:
            return self.join()
        if self.share is None:
            return self.sync()
        return self.heartbeat(), self.heartbeat_version

    def join(self) -> tuple[JoinGroupRequest, int]:
        self._joins, self.share, self._leads, self._asked = True, None, (), self.protocols
        request = JoinGroupRequest(
            group_id=self.group_id,
            session_timeout_ms=self.session_ms,
            rebalance_timeout_ms=self.rebalance_ms,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            protocol_type="consumer",
            protocols=tuple(
                JoinGroupRequestProtocol(name=name, metadata=f"{self.name}/{name}".encode()) for name in self.protocols
            ),
        )
        return request, self.join_version

    def sync(self) -> tuple[SyncGroupRequest, int]:
        named = self.sync_version >= SYNC_NAMES_FROM
        shares = [
            SyncGroupRequestAssignment(member_id=member_id, assignment=self._rng.randbytes(6))
            for member_id in self._leads
            if self._rng.random() < 0.95
        ]
        request = SyncGroupRequest(
            group_id=self.group_id,
            generation_id=self.generation,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            protocol_type="consumer" if named else None,
            protocol_name=self._protocol if named else None,
            assignments=tuple(shares),
        )
        return request, self.sync_version

    def heartbeat(self) -> HeartbeatRequest:
        return HeartbeatRequest(
            group_id=self.group_id,
            generation_id=self.generation,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
        )

    def leave(self) -> tuple[LeaveGroupRequest, int]:
        if self.leave_version < 3:
            return LeaveGroupRequest(group_id=self.group_id, member_id=self.member_id), self.leave_version
        who = MemberIdentity(member_id=self.member_id, group_instance_id=self.instance_id)
        return LeaveGroupRequest(group_id=self.group_id, members=(who,)), self.leave_version

    def rejoin(self) -> None:
        """Something changed: it wants a rebalance."""
        self._joins = True

    # Answers.

    def hear(self, answer: Any) -> None:
        """Makes up its mind."""
        self.waits_for = None
        code = ErrorCode(answer.error_code)
        if code in GIVES_UP:
            self.is_alive = False
        elif code in FORGETS:
            self.member_id, self.generation, self._joins = "", -1, True
        elif code is ErrorCode.REBALANCE_IN_PROGRESS:
            self._joins = True
        elif code is ErrorCode.NONE or isinstance(answer, JoinGroupResponse):
            self._hear_success(answer, code)

    def _hear_success(self, answer: Any, code: ErrorCode) -> None:
        match answer:
            case JoinGroupResponse() if code is ErrorCode.MEMBER_ID_REQUIRED:
                assert not self.member_id, "an id is given out once"
                self.member_id = answer.member_id
            case JoinGroupResponse() if code is ErrorCode.NONE:
                assert answer.member_id, "a member has an id"
                assert self.instance_id is not None or self.member_id in ("", answer.member_id), "the id stays"
                self.member_id, self.generation = answer.member_id, answer.generation_id
                self._protocol = answer.protocol_name
                assert self._protocol in self._asked, "the protocol is one of its own"
                skips = answer.skip_assignment
                leads = answer.leader == answer.member_id and not skips
                self._leads = tuple(member.member_id for member in answer.members) if leads else ()
                self._joins, self.share = False, None
            case SyncGroupResponse():
                self.share = answer.assignment
            case HeartbeatResponse() | LeaveGroupResponse():
                pass

    def hear_nothing(self) -> None:
        """The coordinator is elsewhere, or the connection is gone: it asks again, what it was going to."""
        self.waits_for = None
