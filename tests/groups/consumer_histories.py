"""Histories of a group from seeds: members of both protocols that come, go, crash, pause, lose answers and change their
protocol; topics that come, grow and go; coordinators that load what the log has, compacted. The same seed gives the
same history.

    python -m tests.groups.consumer_histories FIRST [END]     one with its transcript, or many

After each step the invariants of ``check``; at the end of a history, when nothing happens any more, every partition has
one reader.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, final

from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.classic.config import ClassicConfig
from ottla.groups.config import GroupsConfig
from ottla.groups.consumer.config import AssigningLimits, ConsumerConfig, GroupSettings
from ottla.groups.consumer.group import ConsumerGroup, GroupState
from ottla.groups.consumer.member import Owned
from ottla.groups.consumer.topics import TopicHashes
from ottla.groups.deadlines import Timer
from ottla.groups.records import GroupRecords
from ottla.groups.shard import GroupShard
from tests.groups.consumer_clients import SESSION_MS, ClassicMember, ConsumerMember, Partition
from tests.groups.consumer_world import ScriptTopics
from tests.groups.standing import Below
from tests.support.histories import main

STEPS: Final = 120
NAMES: Final = ("ta", "tb", "tc", "u")


class Broker:
    """A shard, its log and its clock."""

    def __init__(self, rng: random.Random) -> None:
        self.topics = ScriptTopics()
        self.hashes = TopicHashes(self.topics)
        self.now_ms = 0
        self.below = Below()
        self.log: list[Record] = []
        self.said: list[tuple[object, ...]] = []
        """All that was ever emitted, and where the log was read again."""
        self.seed = rng.random()
        self._ids = itertools.count(1)
        self._codec = GroupRecords()
        interval_ms = rng.choice((0, 0, 1_000))
        settings = GroupSettings(SESSION_MS, 1_000, interval_ms)
        self.slow = rng.random() < 0.5
        """Targets are made in the smallest steps, and other things happen between them."""
        self.runs_max: int | None = None
        consumer = ConsumerConfig(
            settings=lambda _group_id: settings,
            assignors=rng.choice((("uniform", "range"), ("range", "uniform"))),
            assigning=AssigningLimits(0, 1, 1) if self.slow else AssigningLimits(),
        )
        classic = ClassicConfig(session_timeout_ms_min=1, initial_rebalance_delay_ms=500)
        self._config = GroupsConfig(classic=classic, consumer=consumer)
        self.highest = 0
        self.shard = self._machine()

    def _machine(self) -> GroupShard:
        return GroupShard(self._config, lambda: f"00000000-0000-0000-0000-{next(self._ids):012x}", self.hashes)

    @property
    def group(self) -> ConsumerGroup | None:
        return self.shard._consumer.get("g")

    def run(self, operation: Callable[[Outbox], None]) -> None:
        outbox = self._outbox()
        operation(outbox)
        self.log += outbox.records
        self.said += ((self.now_ms, *record) for record in outbox.records)
        for answer in outbox.answers:
            answer()
        check(self)

    def _outbox(self) -> Outbox:
        return Outbox(Now(self.now_ms, 1_000_000 + self.now_ms), self.shard.apply, some)

    def check_below(self) -> None:
        """Answers that stand are those that the machine would give, doing nothing else."""
        is_asking = self.group is not None and self.group.is_asking
        self.below.check(self.now_ms, self._outbox, self._session_of)
        assert self.group is None or self.group.is_asking is is_asking

    def _session_of(self, key: tuple[str, str, str]) -> Timer:
        member_id = key[1]
        if self.group is not None:
            session = self.group.timers[member_id].session
        else:
            classic = self.shard._classic.get("g")
            assert classic is not None, "an answer stands of a group that is gone"
            session = classic.members[member_id].session
        assert session is not None
        return session

    def call(self, operation: Callable[[Any, Outbox], None], reply: Reply[Any]) -> None:
        def run(outbox: Outbox) -> None:
            try:
                operation(reply, outbox)
            except CoordinatorError as error:
                assert not outbox.records
                outbox.refuse(reply, error.code, error.message)

        self.run(run)

    def advance(self, milliseconds: int) -> None:
        """Time passes; what is due is done, ``runs_max`` times at most: the rest comes late."""
        end_ms = self.now_ms + milliseconds
        runs = 0
        while (at_ms := self.shard.next_deadline_ms()) is not None and at_ms <= end_ms:
            if self.runs_max is not None and runs >= self.runs_max:
                break
            self.now_ms = max(self.now_ms, at_ms)
            self.run(self.shard.advance)
            runs += 1
        self.now_ms = end_ms

    def change_topic(self, name: str, partition_count: int) -> None:
        created = False
        if partition_count:
            created = self.topics.put(name, partition_count, ())
        else:
            self.topics.drop(name)
        self.hashes.forget((name,))
        self.shard.topics_changed((name,), created=created)
        self.check_below()

    def reload(self) -> None:
        self.said.append((self.now_ms, "reload"))
        before = persistent(self.shard)
        for reply in self.shard.abandon():
            reply.fail(CoordinatorError(ErrorCode.NOT_COORDINATOR))
        self.log = compacted(self.log, self._codec)
        again = self._machine()
        for record in self.log:
            again.apply(self._codec.decode(*self._codec.encode(record)))
        assert persistent(again) == before, "the log has all that is persistent"
        if self.group is None:
            # Of the generation that a classic group is forming, the log does not know.
            self.highest = 0
        self.shard = again
        again.loaded(Now(self.now_ms, 1_000_000 + self.now_ms))
        check(self)


def compacted(log: list[Record], codec: GroupRecords) -> list[Record]:
    """The last record of each key, in order, tombstones too."""
    last: dict[bytes, Record] = {}
    for record in log:
        key = codec.encode(record)[0]
        last.pop(key, None)
        last[key] = record
    return list(last.values())


def some(records: Sequence[Record]) -> None:
    assert records, "nothing is no batch"


def persistent(shard: GroupShard) -> object:
    """All that a consumer group remembers over a restart."""
    return {
        group.group_id: (
            group.epoch,
            group.metadata_hash,
            group.assignment_epoch,
            group.assigned_at_ms,
            dict(sorted(group.members.items())),
            {member_id: dict(target) for member_id, target in sorted(group.target.items())},
            group.regexes,
            {topic_id: dict(sorted(owners.items())) for topic_id, owners in sorted(group.owners.items())},
            dict(sorted(group.static.items())),
        )
        for group in shard._consumer
    }


def check(broker: Broker) -> None:
    """What is always so."""
    broker.check_below()
    group = broker.group
    classic = broker.shard._classic.get("g")
    assert group is None or classic is None, "a group is of one protocol"
    if classic is not None:
        assert classic.generation >= broker.highest or classic.is_empty
        broker.highest = max(broker.highest, classic.generation) if classic.members else 0
    if group is None:
        return
    assert group.epoch >= broker.highest or not group.members, "epochs never go back"
    broker.highest = group.epoch if group.members else 0
    assert group.epoch >= group.assignment_epoch
    owned: Counter[tuple[bytes, int]] = Counter()
    for member in group.members.values():
        assert member.epoch <= group.assignment_epoch
        for held in (member.assigned, member.revoking):
            owned.update((topic_id, partition) for topic_id, some in held.items() for partition in some)
    assert not owned or max(owned.values()) == 1, "a partition has one owner"
    assert owned.keys() == {(topic_id, p) for topic_id, owners in group.owners.items() for p in owners}
    targets: Counter[tuple[bytes, int]] = Counter(
        (topic_id, p) for target in group.target.values() for topic_id, some in target.items() for p in some
    )
    assert not targets or max(targets.values()) == 1, "a partition has one target"
    names = Counter(name for member in group.members.values() for name in member.topic_names)
    names.update(name for resolved in group.regexes.values() for name in resolved.topics)
    assert group.topics == names
    assert set(group.timers) <= set(group.members)
    if group.state is GroupState.STABLE:
        assert all(_as_target(member.assigned) == group.target.get(m, {}) for m, member in group.members.items())


def _as_target(assigned: Owned) -> dict[bytes, tuple[int, ...]]:
    return {topic_id: tuple(sorted(some)) for topic_id, some in assigned.items()}


@final
class History:
    """One history; all chance comes from its seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.broker = Broker(self.rng)
        self.members: dict[str, ConsumerMember | ClassicMember] = {}
        self._count = itertools.count(1)
        for name in NAMES[:2]:
            self.broker.change_topic(name, self.rng.randint(1, 6))

    def play(self) -> None:
        """Raises AssertionError when something does not hold."""
        for _ in range(STEPS):
            if self.broker.slow:
                self.broker.runs_max = self.rng.randint(0, 12)
                self.broker.advance(0)
            self._step()
        self.broker.runs_max = None
        self._settle()

    def transcript(self) -> Iterator[str]:
        return (" ".join(map(str, line)) for line in self.broker.said)

    def _step(self) -> None:
        rng = self.rng
        what = rng.random()
        members = list(self.members.values())
        if what < 0.10 or not members:
            self._start()
        elif what < 0.14:
            self._stop(rng.choice(members))
        elif what < 0.17:
            self._change_topic()
        elif what < 0.19:
            self.broker.reload()
            for member in members:
                if isinstance(member, ClassicMember) and member.state == "waits":
                    member.state = "join"
        elif what < 0.22:
            self._migrate(rng.choice(members))
        elif what < 0.40:
            self.broker.advance(rng.choice((100, 500, 1_000, 3_000)))
        elif what < 0.41:
            self.broker.advance(10_000)
        else:
            member = rng.choice(members)
            member.loses_answers = isinstance(member, ConsumerMember) and rng.random() < 0.05
            member.step()
            member.loses_answers = False

    def _start(self) -> None:
        if len(self.members) >= 5:
            return
        name = f"m{next(self._count)}"
        instance_id = f"i{self.rng.randint(1, 3)}" if self.rng.random() < 0.25 else None
        if instance_id in {member.instance_id for member in self.members.values() if member.instance_id}:
            instance_id = None
        kind = self.rng.choice((ConsumerMember, ClassicMember))
        self.members[name] = kind(self.broker, name, self.rng, instance_id)

    def _stop(self, member: ConsumerMember | ClassicMember) -> None:
        how = self.rng.random()
        if how < 0.5:
            member.leave(-2 if member.instance_id is not None and self.rng.random() < 0.5 else -1)
        # Else it crashed.
        member.loses_answers = True
        del self.members[member.name]

    def _migrate(self, member: ConsumerMember | ClassicMember) -> None:
        """A process ends, and comes again with the other protocol."""
        self._stop(member)
        name = f"m{next(self._count)}"
        kind = ClassicMember if isinstance(member, ConsumerMember) else ConsumerMember
        self.members[name] = kind(self.broker, name, self.rng, member.instance_id)

    def _change_topic(self) -> None:
        name = self.rng.choice(NAMES)
        known = self.broker.topics.named(name)
        if known is None:
            self.broker.change_topic(name, self.rng.randint(1, 6))
        elif self.rng.random() < 0.3:
            self.broker.change_topic(name, 0)
        else:
            self.broker.change_topic(name, known.partition_count + self.rng.randint(1, 3))

    def _settle(self) -> None:
        """Nobody comes or goes, everybody does what clients do: until every partition has one reader."""
        if self.broker.shard._classic.get("g") is not None:
            # A group that was taken over without a rebalance has no leader that knows of it, here as in Kafka.
            self.members["last"] = ClassicMember(self.broker, "last", self.rng, None)
        for round_ in range(80):
            for member in self.members.values():
                member.step()
                self.broker.advance(50)
            self.broker.advance(500)
            if round_ > 30 and self._is_settled():
                return
        raise AssertionError(f"not settled: {self._owned()}")

    def _owned(self) -> Mapping[str, set[Partition]]:
        return {member.name: set(member.owned) for member in self.members.values()}

    def _is_settled(self) -> bool:
        group = self.broker.group
        if group is not None and self.members and group.state is not GroupState.STABLE:
            return False
        readers = Counter(partition for owned in self._owned().values() for partition in owned)
        wanted = set()
        for member in self.members.values():
            names = set(member.topics)
            if isinstance(member, ConsumerMember) and member.regex is not None:
                resolved = None if group is None else group.regexes.get(member.regex)
                names = set() if resolved is None else set(resolved.topics)
            for name in names:
                topic = self.broker.topics.named(name)
                if topic is not None:
                    wanted |= {(name, partition) for partition in range(topic.partition_count)}
        return readers == Counter(wanted)


if __name__ == "__main__":
    main(History)
