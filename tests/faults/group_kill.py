"""kill -9 during joins, syncs, commits and migrations: groups come back, no commit that was acknowledged is lost, and
no partition has two owners in one generation.

    python -m tests.faults.group_kill --rounds 50 [--seed S] [--dir D]

Each round, committers without a group move their offsets up, and members of one group join, sync, commit, rejoin for no
reason, leave and return, until the broker dies. Those of another group leave and return with the other protocol. Then
each commit must be there that was answered, none that was not asked for, and the group must be as far as its members
had been told.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from ottla.errors import ErrorCode
from tests.support.broker_process import BrokerProcess
from tests.support.raw import Closed, Connection
from tests.support.raw_admin import create_topic, topic_of
from tests.support.raw_consumer import Claims, ClassicConsumer, NewConsumer
from tests.support.raw_member import ASK_AGAIN, REJOIN, RawMember, commit_offsets, committed_offsets, wait_coordinated

TOPIC: Final = "t"
PARTITIONS: Final = 12
COMMITTERS: Final = 4
MEMBERS: Final = 5
GROUP: Final = "members"
MIXED: Final = "mixed"
MOVING_MEMBERS: Final = 3
MOVING: Final = frozenset((ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.STALE_MEMBER_EPOCH, ErrorCode.MEMBER_ID_REQUIRED))
LOAD_S: Final = (0.05, 1.0)
SESSION_MS: Final = 1_000
"""So long a rebalance waits for members that died with the broker."""
SETTINGS: Final = {
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": SESSION_MS,
    "offsets.topic.num.partitions": 4,
}


@final
class Owners:
    """Who had which partition in which generation, over all rounds. Threads share it."""

    def __init__(self) -> None:
        self._owners: dict[tuple[int, int], str] = {}
        self._lock = threading.Lock()
        self.newest = -1

    def owns(self, generation: int, partition: int, member_id: str) -> None:
        with self._lock:
            self.newest = max(self.newest, generation)
            owner = self._owners.setdefault((generation, partition), member_id)
            assert owner == member_id, f"partition {partition} has two owners in generation {generation}"


@final
@dataclass(slots=True)
class Progress:
    """Of one group and partition."""

    acknowledged: int = -1
    asked: int = -1


@final
class Committer:
    """Moves the offsets of a group of its own up, all partitions at once."""

    def __init__(self, number: int) -> None:
        self.group_id = f"committer-{number}"
        self.progress = Progress()
        self.answers = 0

    def run(self, address: tuple[str, int], stopped: threading.Event) -> None:
        with Connection(address, self.group_id) as connection:
            while not stopped.is_set():
                self.progress.asked += 1
                offset = self.progress.asked
                code = commit_offsets(connection, self.group_id, TOPIC, dict.fromkeys(range(PARTITIONS), offset))
                if code in ASK_AGAIN:
                    continue
                assert code == 0, code
                self.progress.acknowledged = offset
                self.answers += 1


@final
class RestlessMember:
    """Commits what it owns, and moves about."""

    def __init__(self, number: int, owners: Owners, progress: dict[int, Progress], seed: int) -> None:
        self._name = f"member-{number}"
        self._owners = owners
        self._progress = progress
        self._random = random.Random(f"{seed}-{number}")
        self._member_id = ""
        self.answers = 0
        self.generations = 0

    def run(self, address: tuple[str, int], stopped: threading.Event) -> None:
        with Connection(address, self._name) as connection:
            member = _member(connection, self._member_id)
            try:
                while not stopped.is_set():
                    self._generation(member, stopped)
            finally:
                self._member_id = member.member_id

    def _generation(self, member: RawMember, stopped: threading.Event) -> None:
        member.enter()
        self.generations += 1
        for partition in member.owned:
            self._owners.owns(member.generation, partition, member.member_id)
        for _ in range(self._random.randrange(60)):
            if stopped.is_set():
                return
            code = member.heartbeat() or self._commit(member)
            if code in REJOIN:
                return
            assert code == 0 or code in ASK_AGAIN, code
        if self._random.random() < 0.3:
            member.leave()

    def _commit(self, member: RawMember) -> int:
        if not member.owned:
            return 0
        offsets = {}
        for partition in member.owned:
            progress = self._progress[partition]
            progress.asked += 1
            offsets[partition] = progress.asked
        code = member.commit(TOPIC, offsets)
        if code == 0:
            self.answers += 1
            for partition, offset in offsets.items():
                progress = self._progress[partition]
                progress.acknowledged = max(progress.acknowledged, offset)
        return code


@final
class MovingMember:
    """A consumer of a group in which both protocols are spoken: it leaves now and then, and returns with the other."""

    def __init__(self, number: int, claims: Claims, progress: dict[int, Progress], seed: int) -> None:
        self._name = f"moving-{number}"
        self._claims = claims
        self._progress = progress
        self._random = random.Random(f"{seed}-moving-{number}")
        self._topic_id = b""
        self._member: NewConsumer | ClassicConsumer | None = None
        self._lives = number
        self.answers = 0
        self.moves = 0

    def knows(self, topic_id: bytes) -> None:
        self._topic_id = topic_id

    def run(self, address: tuple[str, int], stopped: threading.Event) -> None:
        with Connection(address, self._name) as connection:
            while not stopped.is_set():
                if self._member is None:
                    self._member = self._return()
                code = self._member.step(connection)
                assert code == 0 or code in ASK_AGAIN | REJOIN | MOVING, ErrorCode(code).name
                if code == 0:
                    self._work(connection, self._member)
                if self._random.random() < 0.01 and self._member is not None:
                    member, self._member = self._member, None
                    member.leave(connection)
                    self.moves += 1

    def _return(self) -> NewConsumer | ClassicConsumer:
        self._lives += 1
        name = f"{self._name}-{self._lives}"
        if self._lives % 2:
            return NewConsumer(name, MIXED, TOPIC, self._topic_id, self._claims)
        return ClassicConsumer(name, MIXED, TOPIC, PARTITIONS, self._claims)

    def _work(self, connection: Connection, member: NewConsumer | ClassicConsumer) -> None:
        if not member.owned:
            time.sleep(0.005)
            return
        offsets = {}
        for partition in member.owned:
            self._progress[partition].asked += 1
            offsets[partition] = self._progress[partition].asked
        code = commit_offsets(connection, MIXED, TOPIC, offsets, member.generation, member.member_id)
        assert code == 0 or code in ASK_AGAIN | REJOIN | MOVING, ErrorCode(code).name
        if code == 0:
            self.answers += 1
            for partition, offset in offsets.items():
                self._progress[partition].acknowledged = max(self._progress[partition].acknowledged, offset)


@final
class GroupKillTest:
    """The broker, its clients, and what is known of both. Use ``run``."""

    def __init__(self, directory: Path, seed: int, report: Callable[[str], None] = print) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        self._report = report
        self._owners = Owners()
        self._progress = {partition: Progress() for partition in range(PARTITIONS)}
        self._committers = [Committer(number) for number in range(COMMITTERS)]
        self._members = [RestlessMember(number, self._owners, self._progress, seed) for number in range(MEMBERS)]
        self._mixed = {partition: Progress() for partition in range(PARTITIONS)}
        claims = Claims()
        self._moving = [MovingMember(number, claims, self._mixed, seed) for number in range(MOVING_MEMBERS)]
        self.broker = BrokerProcess(directory, SETTINGS)

    def run(self, rounds: int) -> tuple[int, int, int]:
        """How many commits were answered, of all and in the group of both protocols, and how many generations there
        were. Raises ``AssertionError`` that says what is wrong, with the seed."""
        number = 0
        try:
            with self.broker:
                self.broker.start()
                with Connection(self.broker.address) as connection:
                    assert create_topic(connection, TOPIC, PARTITIONS) == 0
                    for member in self._moving:
                        member.knows(topic_of(connection, TOPIC).topic_id)
                    self._wait(connection)
                for number in range(1, rounds + 1):
                    self._report(self._round(number))
                assert self.broker.stop() == 0
        except AssertionError as error:
            where = f"seed {self._seed}, round {number}, in {self.broker.data_dir}"
            raise AssertionError(f"{error}\n{where}\n{self.broker.log_tail()}") from error
        return self._answers(), sum(each.answers for each in self._moving), self._owners.newest

    def _answers(self) -> int:
        clients = (self._committers, self._members, self._moving)
        return sum(each.answers for some in clients for each in some)

    def _wait(self, connection: Connection) -> None:
        wait_coordinated(connection, GROUP, MIXED, *(committer.group_id for committer in self._committers))

    def _round(self, number: int) -> str:
        answers = self._answers()
        generation = self._owners.newest
        moves = sum(each.moves for each in self._moving)
        clean = self._random.random() < 0.1
        self._load(clean=clean)
        begun = time.monotonic()
        if self._random.random() < 0.2:
            self.broker.launch()
            time.sleep(self._random.uniform(0.0, 0.6))
            self.broker.kill()
        self.broker.start()
        with Connection(self.broker.address) as connection:
            self._wait(connection)
            took_s = time.monotonic() - begun
            self._verify(connection)
        answers = self._answers() - answers
        return (
            f"round {number}: {'stopped' if clean else 'killed'}; {answers:,} commits answered, "
            f"{self._owners.newest - generation} generations, "
            f"{sum(each.moves for each in self._moving) - moves} moves; coordinators after {took_s:.2f} s"
        )

    def _load(self, *, clean: bool) -> None:
        stopped = threading.Event()
        failures: list[BaseException] = []

        def work(client: Committer | RestlessMember | MovingMember) -> None:
            try:
                client.run(self.broker.address, stopped)
            except (Closed, ConnectionError):
                pass  # it is being killed
            except BaseException as error:
                failures.append(error)
                stopped.set()

        clients = (*self._committers, *self._members, *self._moving)
        threads = [threading.Thread(target=work, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        stopped.wait(self._random.uniform(*LOAD_S))
        if clean:
            assert self.broker.stop() == 0, "a stop must end with exit code 0"
        else:
            self.broker.kill()
        stopped.set()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _verify(self, connection: Connection) -> None:
        found = committed_offsets(connection, GROUP, MIXED, *(committer.group_id for committer in self._committers))
        for committer in self._committers:
            for partition in range(PARTITIONS):
                _within(committer.group_id, partition, found[committer.group_id].get(partition, -1), committer.progress)
            # One request is one batch: all of it is there, or nothing.
            assert len(set(found[committer.group_id].values())) <= 1, found[committer.group_id]
        for group_id, group in ((GROUP, self._progress), (MIXED, self._mixed)):
            for partition, progress in group.items():
                _within(group_id, partition, found[group_id].get(partition, -1), progress)
        member = _member(connection)
        member.enter()
        assert member.generation > self._owners.newest, (
            f"generation {self._owners.newest} had its assignment, and after the restart comes {member.generation}"
        )
        for partition in member.owned:
            self._owners.owns(member.generation, partition, member.member_id)
        assert member.leave() == 0


def _member(connection: Connection, member_id: str = "") -> RawMember:
    return RawMember(connection, GROUP, PARTITIONS, member_id=member_id, session_ms=SESSION_MS, rebalance_ms=SESSION_MS)


def _within(group_id: str, partition: int, committed: int, progress: Progress) -> None:
    assert progress.acknowledged <= committed <= progress.asked, (
        f"{group_id}, partition {partition}: {progress.acknowledged} was acknowledged, {progress.asked} asked for, "
        f"{committed} is there"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="kill -9 during joins, syncs and commits.")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", type=Path)
    options = parser.parse_args()
    if options.dir is not None:
        options.dir.mkdir(parents=True, exist_ok=True)
    directory = options.dir or Path(tempfile.mkdtemp(prefix="ottla-group-kill-"))
    try:
        commits, mixed, generations = GroupKillTest(directory / "data", options.seed).run(options.rounds)
        print(f"{commits:,} commits answered, {mixed:,} of them in the mixed group; {generations} generations")
    except AssertionError as error:
        print(f"{error}\nthe directory stays: {directory}", file=sys.stderr)
        return 1
    if options.dir is None:
        shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
