"""Consumers of one topic in one group, of both protocols, which do what they are told one request at a time.

What they own is kept in one place, ``Claims``, which they tell before they give something up and when they get it: that
no partition is ever owned by two of them is checked there, whoever coordinates and however often it changes.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from typing import Final, final

from ottla.errors import ErrorCode
from ottla.records.consumer_protocol import (
    AssignmentTopicPartition,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)
from ottla.wire.codec import decode_prefix, encode
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k13_leave_group import LeaveGroupRequest, MemberIdentity
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from ottla.wire.k68_consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from tests.support.raw import Connection

__all__ = ["Claims", "ClassicConsumer", "NewConsumer"]

ASSIGNOR: Final = "range"
VERSION: Final = 1
_VERSION_BYTES: Final = VERSION.to_bytes(2)
REBALANCE_MS: Final = 60_000
CLASSIC_MS: Final = 5_000
"""Session and rebalance timeout of classic members: so long the others wait for one that left unheard."""


@final
class Claims:
    """Who owns which partition now. Threads share it."""

    def __init__(self) -> None:
        self._owners: dict[int, str] = {}
        self._lock = threading.Lock()

    def take(self, partitions: Iterable[int], name: str) -> None:
        with self._lock:
            for partition in partitions:
                owner = self._owners.setdefault(partition, name)
                assert owner == name, f"partition {partition} is given to {name}, and {owner} has not given it up"

    def give_up(self, partitions: Iterable[int], name: str) -> None:
        with self._lock:
            for partition in partitions:
                assert self._owners.pop(partition) == name

    @property
    def count(self) -> int:
        return len(self._owners)


@final
class NewConsumer:
    """A member by ConsumerGroupHeartbeat. It lives longer than its connections."""

    def __init__(self, name: str, group_id: str, topic: str, topic_id: bytes, claims: Claims) -> None:
        self.member_id = name
        self.epoch = 0
        self.owned: frozenset[int] = frozenset()
        self._group_id = group_id
        self._topic = topic
        self._topic_id = topic_id
        self._claims = claims
        self._tell = True
        """Does the coordinator not know what it owns?"""

    @property
    def generation(self) -> int:
        return self.epoch

    def step(self, connection: Connection) -> int:
        """One heartbeat, and what follows from its answer; the error code."""
        full = self.epoch == 0 or self._tell
        # Until it is answered nobody knows what the coordinator knows.
        self._tell = True
        answer: ConsumerGroupHeartbeatResponse = connection.ask(
            ConsumerGroupHeartbeatRequest(
                group_id=self._group_id,
                member_id=self.member_id,
                member_epoch=self.epoch,
                rebalance_timeout_ms=REBALANCE_MS if full else -1,
                subscribed_topic_names=(self._topic,) if full else None,
                topic_partitions=self._partitions() if full else None,
            ),
            1,
        )
        code = answer.error_code
        if code in (ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID):
            self._lose()
        if code:
            return code
        self.epoch, self._tell = answer.member_epoch, False
        if answer.assignment is not None:
            self._become({index for each in answer.assignment.topic_partitions for index in each.partitions})
        return code

    def _partitions(self) -> tuple[TopicPartitions, ...]:
        if self.epoch == 0 or not self.owned:
            return ()
        return (TopicPartitions(topic_id=self._topic_id, partitions=tuple(sorted(self.owned))),)

    def _become(self, target: Collection[int]) -> None:
        lost, got = self.owned.difference(target), frozenset(target) - self.owned
        self._claims.give_up(lost, self.member_id)
        self._claims.take(got, self.member_id)
        self.owned = self.owned - lost | got
        self._tell = bool(lost or got)

    def _lose(self) -> None:
        self._claims.give_up(self.owned, self.member_id)
        self.owned, self.epoch = frozenset(), 0

    def leave(self, connection: Connection) -> int:
        """Gives everything up and leaves; the error code."""
        self._lose()
        request = ConsumerGroupHeartbeatRequest(group_id=self._group_id, member_id=self.member_id, member_epoch=-1)
        code: int = connection.ask(request, 1).error_code
        return code


@final
class ClassicConsumer:
    """A member by JoinGroup and so on, with the embedded protocol of consumers. It lives longer than its
    connections."""

    def __init__(self, name: str, group_id: str, topic: str, partitions: int, claims: Claims) -> None:
        self.member_id = ""
        self.generation = -1
        self.owned: frozenset[int] = frozenset()
        self._name = name
        self._group_id = group_id
        self._topic = topic
        self._partitions = partitions
        self._claims = claims

    def step(self, connection: Connection) -> int:
        """One heartbeat, or what it takes to be a member again; the error code."""
        if self.generation < 0:
            return self._enter(connection)
        request = HeartbeatRequest(group_id=self._group_id, generation_id=self.generation, member_id=self.member_id)
        code: int = connection.ask(request, 4).error_code
        if code in (ErrorCode.REBALANCE_IN_PROGRESS, ErrorCode.ILLEGAL_GENERATION, ErrorCode.UNKNOWN_MEMBER_ID):
            self._lose(code)
        return code

    def _enter(self, connection: Connection) -> int:
        joined: JoinGroupResponse = connection.ask(
            JoinGroupRequest(
                group_id=self._group_id,
                session_timeout_ms=CLASSIC_MS,
                rebalance_timeout_ms=CLASSIC_MS,
                member_id=self.member_id,
                protocol_type="consumer",
                protocols=(JoinGroupRequestProtocol(name=ASSIGNOR, metadata=self._subscription()),),
            ),
            9,
        )
        if joined.error_code == ErrorCode.MEMBER_ID_REQUIRED:
            self.member_id = joined.member_id
        if joined.error_code:
            self._lose(joined.error_code)
            return joined.error_code
        self.member_id = joined.member_id
        members = sorted(each.member_id for each in joined.members)
        synced = connection.ask(
            SyncGroupRequest(
                group_id=self._group_id,
                generation_id=joined.generation_id,
                member_id=self.member_id,
                protocol_type="consumer",
                protocol_name=ASSIGNOR,
                assignments=tuple(
                    SyncGroupRequestAssignment(
                        member_id=member_id, assignment=self._assignment(range(place, self._partitions, len(members)))
                    )
                    for place, member_id in enumerate(members)
                ),
            ),
            5,
        )
        code: int = synced.error_code
        if code:
            self._lose(code)
            return code
        self.generation = joined.generation_id
        self.owned = _assigned(synced.assignment)
        self._claims.take(self.owned, self._name)
        return code

    def _lose(self, code: int) -> None:
        self._claims.give_up(self.owned, self._name)
        self.owned, self.generation = frozenset(), -1
        if code == ErrorCode.UNKNOWN_MEMBER_ID:
            self.member_id = ""

    def leave(self, connection: Connection) -> int:
        """Gives everything up and leaves; the error code."""
        self._lose(0)
        member_id, self.member_id = self.member_id, ""
        request = LeaveGroupRequest(group_id=self._group_id, members=(MemberIdentity(member_id=member_id),))
        answer = connection.ask(request, 5)
        code: int = answer.error_code or answer.members[0].error_code
        return code

    def _subscription(self) -> bytes:
        said = ConsumerProtocolSubscription(topics=(self._topic,))
        return _VERSION_BYTES + encode(said, VERSION)

    def _assignment(self, partitions: Iterable[int]) -> bytes:
        given = (AssignmentTopicPartition(topic=self._topic, partitions=tuple(partitions)),)
        return _VERSION_BYTES + encode(ConsumerProtocolAssignment(assigned_partitions=given), VERSION)


def _assigned(assignment: bytes) -> frozenset[int]:
    if not assignment:
        return frozenset()
    version = int.from_bytes(assignment[:2])
    told = decode_prefix(ConsumerProtocolAssignment, version, assignment, 2)[0]
    return frozenset(index for each in told.assigned_partitions for index in each.partitions)
