"""kill -9 during joins, syncs, commits and migrations: groups come back, no commit that was acknowledged is lost, and
no partition has two owners in one generation.

    python -m tests.faults.kill_groups --rounds 50 [--minutes M] [--seed S] [--dir D]

Prior art: Kafka's system tests of consumers with bouncing brokers. Ours is one process on one directory. Each round,
committers without members move their offsets up; members of a classic group join, sync, commit, rejoin for no reason,
leave and return; those of a third group move from one protocol to the other and back, until the broker dies. All
choices come from the seed; the moment of death itself is a matter of the machine.

Of each round is checked: every commit that was answered is there, none that was refused, and offsets never go back; a
request is there whole or not at all; members are in the generation or epoch they were told, with what they were given,
or that generation is over for all; no partition is given to two members under one generation, nor to a member while
another has not given it up. Every other round the groups have to commit again before the broker is killed; and at the
end members that stay where they are have to share all partitions.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from ottla.errors import ErrorCode
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k15_describe_groups import DescribeGroupsRequest
from ottla.wire.k69_consumer_group_describe import ConsumerGroupDescribeRequest, DescribedGroup
from tests.faults.group_ledger import Assignments, Attendance, Commits
from tests.faults.group_load import PARTITIONS, TOPIC, Committer, MovingMember, RestlessMember
from tests.faults.trial import More, Report, Trial, arguments, ended, main
from tests.support.raw import Connection
from tests.support.raw_admin import create_topic, topic_of
from tests.support.raw_consumer import Claims, ClassicConsumer, NewConsumer, assigned_partitions
from tests.support.raw_member import committed_offsets, wait_coordinated

COMMITTERS: Final = 4
MEMBERS: Final = 5
MOVING_MEMBERS: Final = 3
GROUP: Final = "members"
MIXED: Final = "mixed"
LOAD_S: Final = (0.05, 1.0)
DIES_STARTING: Final = 0.2
BACK_S_MAX: Final = 60.0
"""Generous: members that died unheard are waited for, and a loaded machine shall not fail the test."""
LOOK_S: Final = 0.01
CURRENT: Final = frozenset((ErrorCode.NONE, ErrorCode.REBALANCE_IN_PROGRESS))
OVER: Final = frozenset((ErrorCode.ILLEGAL_GENERATION, ErrorCode.UNKNOWN_MEMBER_ID))
SETTINGS: Final = {
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1_000,
    "offsets.topic.num.partitions": 4,
}


@final
@dataclass(slots=True)
class Round:
    """How one round went."""

    number: int
    clean: bool = False
    died_starting: bool = False
    commits: int = 0
    generations: int = 0
    moves: int = 0
    back_s: float | None = None
    ready_s: float = 0.0
    unheard: int = 0
    found: str = ""

    def __str__(self) -> str:
        end = ended(clean=self.clean, died_starting=self.died_starting)
        back = "" if self.back_s is None else f"both groups commit after {self.back_s:.2f} s, "
        return (
            f"round {self.number}: {back}{end}; {self.commits:,} commits answered, {self.generations} "
            f"generations, {self.moves} moves; coordinators after {self.ready_s:.2f} s, offsets of {self.unheard} "
            f"partitions unheard, {self.found}"
        )


@final
class KillGroupsTest:
    """The broker, its clients, and what is known of both. Use ``run``."""

    def __init__(self, directory: Path, seed: int, report: Report = print) -> None:
        self._trial = Trial(directory, seed, SETTINGS, report)
        self._random = self._trial.random
        groups = [f"committer-{number}" for number in range(COMMITTERS)]
        self._commits = {group_id: Commits(group_id, PARTITIONS) for group_id in (GROUP, MIXED, *groups)}
        self._members = Assignments(GROUP)
        self._mixed = Assignments(MIXED)
        self._claims = Claims()
        self._attendance = Attendance()
        self._committers = [Committer(self._commits[group_id]) for group_id in groups]
        self._restless = [
            RestlessMember(f"member-{number}", self._commits[GROUP], self._members, seed) for number in range(MEMBERS)
        ]
        self._moving = [
            MovingMember(number, self._commits[MIXED], self._mixed, self._claims, self._attendance, seed)
            for number in range(MOVING_MEMBERS)
        ]

    def run(self, more: More) -> list[Round]:
        """Raises ``AssertionError`` that says what is wrong, with the seed."""
        with self._trial.running():
            with self._connection() as connection:
                assert create_topic(connection, TOPIC, PARTITIONS) == 0
                for member in self._moving:
                    member.topic_id = topic_of(connection, TOPIC).topic_id
                wait_coordinated(connection, *self._commits)
            done = self._trial.rounds(self._round, more)
            self._trial.report(f"all partitions of both groups shared after {self._calm():.2f} s")
        return done

    def commits_answered(self, group_id: str) -> int:
        """Over all rounds."""
        return self._commits[group_id].answered

    def _connection(self) -> Connection:
        return Connection(self._trial.broker.address, "kill-groups")

    def _counts(self) -> tuple[int, int, int]:
        commits = sum(each.answered for each in self._commits.values())
        return commits, self._members.newest + self._mixed.newest, sum(each.moves for each in self._moving)

    def _round(self, number: int) -> Round:
        result = self._trial.current = Round(number)
        before = self._counts()
        self._load(result)
        commits, generations, moves = (now - then for now, then in zip(self._counts(), before, strict=True))
        result.commits, result.generations, result.moves = commits, generations, moves
        begun = time.monotonic()
        result.died_starting, _ = self._trial.restart(DIES_STARTING)
        with self._connection() as connection:
            wait_coordinated(connection, *self._commits)
            result.ready_s = time.monotonic() - begun
            # First the members: their sessions run.
            result.found = f"{self._verify_members(connection)}, {self._verify_mixed(connection)}"
            result.unheard = self._verify_commits(connection)
        return result

    # --- load -------------------------------------------------------------------------------------------------------

    def _load(self, result: Round) -> None:
        """Load until the broker dies under it; now and then it is stopped well instead."""
        result.clean = self._trial.stops()
        patient = self._random.random() < 0.5
        load_s = self._random.uniform(*LOAD_S)
        groups = [self._commits[group_id] for group_id in (GROUP, MIXED)]
        before = [group.answered for group in groups]

        def wait(stopped: threading.Event) -> None:
            if patient:
                result.back_s = _wait_until(
                    lambda: all(group.answered > count for group, count in zip(groups, before, strict=True)),
                    stopped,
                    lambda: [
                        (group.group_id, group.answered - count) for group, count in zip(groups, before, strict=True)
                    ],
                )
            stopped.wait(load_s)

        self._under_load(wait, clean=result.clean)

    def _calm(self) -> float:
        """So long it takes until all is shared by members that stay; in seconds. Stops the broker."""
        for member in self._restless:
            member.calm = True
        for mover in self._moving:
            mover.calm = True
        took_s: list[float] = []

        def wait(stopped: threading.Event) -> None:
            took_s.append(_wait_until(lambda: self._owned() == (PARTITIONS, PARTITIONS), stopped, self._owned))

        self._under_load(wait, clean=True)
        return took_s[0]

    def _owned(self) -> tuple[int, int]:
        """How many partitions have an owner, in the classic and in the mixed group."""
        owned = sum(len(each.member.owned) for each in self._restless if each.member is not None)
        return owned, self._claims.count

    def _under_load(self, wait: Callable[[threading.Event], None], *, clean: bool) -> None:
        clients: tuple[Committer | RestlessMember | MovingMember, ...]
        clients = (*self._committers, *self._restless, *self._moving)
        self._trial.under_load([client.run for client in clients], wait, clean=clean)

    # --- what is there ----------------------------------------------------------------------------------------------

    def _verify_commits(self, connection: Connection) -> int:
        found = committed_offsets(connection, *self._commits)
        unheard = 0
        for group_id, commits in self._commits.items():
            unheard += commits.check(found[group_id])
            # Committers ask for all partitions at once: one request is one batch.
            if group_id not in (GROUP, MIXED):
                assert len(set(found[group_id].values())) <= 1, f"half a request: {found[group_id]}"
        return unheard

    def _verify_members(self, connection: Connection) -> str:
        return _verify_classic(connection, self._members, self._members.of_newest(), bytes_owned)

    def _verify_mixed(self, connection: Connection) -> str:
        described = connection.ask(ConsumerGroupDescribeRequest(group_ids=(MIXED,)), 1).groups[0]
        staying = [each.member for each in self._moving if each.member is not None and not each.leaves]
        told = [member for member in staying if member.generation > 0]
        if described.error_code == 0:
            return self._verify_new(described, told)
        assert described.error_code == ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode(described.error_code).name
        for member in told:
            assert isinstance(member, ClassicConsumer), f"{member.member_id} is in the group, which became classic"
        owned = {member.member_id: member.owned for member in told if member.generation == self._mixed.newest}
        return _verify_classic(connection, self._mixed, owned, assigned_partitions)

    def _verify_new(self, group: DescribedGroup, told: list[NewConsumer | ClassicConsumer]) -> str:
        assert group.group_epoch >= self._mixed.newest, (
            f"{MIXED}: epoch {self._mixed.newest} was told, and {group.group_epoch} is there"
        )
        epochs = {member.member_id: member.member_epoch for member in group.members}
        for member in told:
            assert epochs.get(member.member_id, -1) >= member.generation, (
                f"{MIXED}: {member.member_id} was told epoch {member.generation}; these are there: {epochs}"
            )
        owners: dict[int, str] = {}
        for each in group.members:
            for index in (index for topic in each.assignment.topic_partitions for index in topic.partitions):
                owner = owners.setdefault(index, each.member_id)
                assert owner == each.member_id, f"{MIXED}: partition {index} is of {owner} and {each.member_id}"
        return f"{MIXED} is new with {len(told)} members back"


def bytes_owned(assignment: bytes) -> frozenset[int]:
    """What ``RawMember`` has as its assignment."""
    return frozenset(assignment)


def _verify_classic(
    connection: Connection,
    assignments: Assignments,
    told: Mapping[str, frozenset[int]],
    owned: Callable[[bytes], frozenset[int]],
) -> str:
    """Those who have the newest generation are in it, all with what they were given, or it is over for all of them: who
    joined last was not answered any more."""
    group_id, generation = assignments.group_id, assignments.newest
    if not told:
        # Those who had it were joining again, and may be told the same generation once more.
        return f"{group_id} is classic, its members were joining"
    codes = {}
    for member_id in told:
        request = HeartbeatRequest(group_id=group_id, generation_id=generation, member_id=member_id)
        codes[member_id] = connection.ask(request, 4).error_code
    if not any(code in CURRENT for code in codes.values()):
        assert set(codes.values()) <= OVER, f"{group_id}, generation {generation}: {codes}"
        assignments.is_over()
        return f"{group_id} is classic, in another generation"
    assert set(codes.values()) <= CURRENT, f"{group_id}, generation {generation} is there for some alone: {codes}"
    group = connection.ask(DescribeGroupsRequest(groups=(group_id,)), 6).groups[0]
    if group.group_state == "Stable":
        there = {member.member_id: owned(member.member_assignment) for member in group.members}
        for member_id, partitions in told.items():
            assert there[member_id] == partitions, (
                f"{group_id}: {member_id} was given {sorted(partitions)}, and {sorted(there[member_id])} is there"
            )
    return f"{group_id} is classic with {len(told)} members back, {group.group_state}"


def _wait_until(reached: Callable[[], bool], stopped: threading.Event, found: Callable[[], object]) -> float:
    begun = time.monotonic()
    while not reached() and not stopped.wait(LOOK_S):
        assert time.monotonic() < begun + BACK_S_MAX, f"not back after {BACK_S_MAX:g} s: {found()}"
    return time.monotonic() - begun


def play(directory: Path, seed: int, more: More, report: Report) -> str:
    """What it comes to."""
    rounds = KillGroupsTest(directory, seed, report).run(more)
    return (
        f"{len(rounds)} rounds: {sum(done.commits for done in rounds):,} commits answered, "
        f"{sum(done.generations for done in rounds):,} generations, {sum(done.moves for done in rounds):,} moves, "
        f"coordinators after {sorted(done.ready_s for done in rounds)[len(rounds) // 2]:.2f} s (median)"
    )


if __name__ == "__main__":
    sys.exit(main(arguments(__doc__, rounds=10).parse_args(), "kill-groups", play))
