"""Load on groups that survives its broker: clients that keep what they know of their groups from one connection to the
next, as consumers do, and say to ledgers what they ask for and are told."""

from __future__ import annotations

import itertools
import random
import threading
import time
from typing import Final, final

from ottla.errors import ErrorCode
from tests.faults.group_ledger import Assignments, Attendance, Commits
from tests.support.raw import Connection
from tests.support.raw_consumer import Claims, ClassicConsumer, NewConsumer
from tests.support.raw_member import ASK_AGAIN, REJOIN, RawMember, commit_offsets

TOPIC: Final = "t"
PARTITIONS: Final = 12
SESSION_MS: Final = 5_000
"""Longer than the broker is away after it has loaded a group: members shall be found to be there."""
REBALANCE_MS: Final = 1_000
"""So long a rebalance waits for members that joined unheard and died with the broker."""
LEAVES_BETWEEN_MOVES: Final = 12
FENCED: Final = frozenset((ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID))
MOVING: Final = FENCED | {ErrorCode.STALE_MEMBER_EPOCH, ErrorCode.MEMBER_ID_REQUIRED}


@final
class Committer:
    """Moves the offsets of a group without members up, all partitions at once."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits

    def run(self, address: tuple[str, int], stopped: threading.Event) -> None:
        group_id = self._commits.group_id
        with Connection(address, group_id) as connection:
            while not stopped.is_set():
                offsets = self._commits.ask(range(PARTITIONS))
                code = commit_offsets(connection, group_id, TOPIC, offsets)
                self._commits.settle(offsets, code)
                assert code == 0 or code in ASK_AGAIN, ErrorCode(code).name


@final
class RestlessMember:
    """Commits what it owns, rejoins for no reason, leaves and returns."""

    def __init__(self, name: str, commits: Commits, assignments: Assignments, seed: int) -> None:
        self._name = name
        self._commits = commits
        self._assignments = assignments
        self._random = random.Random(f"{seed}-{name}")
        self.calm = False
        """Does it stay where it is?"""
        self.member: RawMember | None = None
        self._leaves = False

    def run(self, address: tuple[str, int], stopped: threading.Event) -> None:
        with Connection(address, self._name) as connection:
            if self.member is None:
                self.member = RawMember(
                    connection, self._commits.group_id, PARTITIONS, session_ms=SESSION_MS, rebalance_ms=REBALANCE_MS
                )
            self.member.connection = connection
            while not stopped.is_set():
                self._generation(self.member, stopped)

    def _generation(self, member: RawMember, stopped: threading.Event) -> None:
        if self._leaves:
            # Again when the broker died before it answered: it may know the member still.
            code = member.leave()
            assert code == 0 or code in ASK_AGAIN | REJOIN, ErrorCode(code).name
            self._leaves = code in ASK_AGAIN
            if self._leaves:
                return
        if not member.owned:
            member.enter()
            self._assignments.handed_out(member.generation, member.member_id, member.owned)
        for _ in itertools.count() if self.calm else range(self._random.randrange(60)):
            if stopped.is_set():
                return
            code = member.heartbeat() or self._commit(member)
            if code in REJOIN:
                break
            assert code == 0 or code in ASK_AGAIN, ErrorCode(code).name
        self._leaves = not self.calm and self._random.random() < 0.3
        if not self._leaves:
            member.owned = ()

    def _commit(self, member: RawMember) -> int:
        if not member.owned:
            return 0
        offsets = self._commits.ask(member.owned)
        code = member.commit(TOPIC, offsets)
        self._commits.settle(offsets, code)
        return code


@final
class MovingMember:
    """A consumer of a group in which both protocols are spoken: it leaves now and then, and mostly returns with that
    which more and more of the others speak, so that the group as a whole moves to and fro."""

    def __init__(
        self,
        number: int,
        commits: Commits,
        assignments: Assignments,
        claims: Claims,
        attendance: Attendance,
        seed: int,
    ) -> None:
        self.calm = False
        """Does it stay where it is?"""
        self.topic_id = b""
        self.member: NewConsumer | ClassicConsumer | None = None
        self.leaves = False
        """Has it begun to leave, and was not answered?"""
        self.moves = 0
        self._name = f"moving-{number}"
        self._commits = commits
        self._assignments = assignments
        self._claims = claims
        self._attendance = attendance
        self._random = random.Random(f"{seed}-{self._name}")
        self._lives = 0

    def run(self, address: tuple[str, int], stopped: threading.Event) -> None:
        with Connection(address, self._name) as connection:
            while not stopped.is_set():
                if self.member is None:
                    self.member = self._return()
                elif self.leaves:
                    self._leave(connection, self.member)
                else:
                    self._step(connection, self.member)

    def _return(self) -> NewConsumer | ClassicConsumer:
        self._lives += 1
        name = f"{self._name}-{self._lives}"
        group_id = self._commits.group_id
        speaks_new = self._attendance.leaves // LEAVES_BETWEEN_MOVES % 2 == 0
        if speaks_new != (self._random.random() < 0.05):
            return NewConsumer(name, group_id, TOPIC, self.topic_id, self._claims)
        return ClassicConsumer(name, group_id, TOPIC, PARTITIONS, self._claims)

    def _step(self, connection: Connection, member: NewConsumer | ClassicConsumer) -> None:
        code = member.step(connection)
        self._look(code)
        if code == 0:
            self._attendance.enter(self._name)
            self._assignments.handed_out(member.generation, member.member_id, member.owned)
            self._commit(connection, member)
        self.leaves = not self.calm and self._random.random() < 0.03 and self._attendance.may_leave(self._name)

    def _look(self, code: int) -> None:
        assert code == 0 or code in ASK_AGAIN | REJOIN | MOVING, ErrorCode(code).name
        if code in FENCED:
            self._attendance.lost(self._name)

    def _commit(self, connection: Connection, member: NewConsumer | ClassicConsumer) -> None:
        if not member.owned:
            time.sleep(0.005)
            return
        offsets = self._commits.ask(member.owned)
        code = commit_offsets(connection, self._commits.group_id, TOPIC, offsets, member.generation, member.member_id)
        self._commits.settle(offsets, code)
        self._look(code)

    def _leave(self, connection: Connection, member: NewConsumer | ClassicConsumer) -> None:
        code = member.leave(connection)
        # When it was not answered the first time, the group may have become a classic one thereby.
        if code != ErrorCode.GROUP_ID_NOT_FOUND:
            self._look(code)
        if code not in ASK_AGAIN:
            self.member, self.leaves = None, False
            self.moves += 1
