"""Large groups of the consumer protocol, and how long the longest operation on one is: time of this thread on a core.

python -m tests.groups.slice_lengths [--members 1000] [--partitions 10000] [--topics 100] [--at-once]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any, Final, final

from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Reply
from ottla.coordinator.shard import Shard, State
from ottla.groups.classic.config import ClassicConfig
from ottla.groups.client import Client
from ottla.groups.config import GroupsConfig
from ottla.groups.consumer.config import AssigningLimits, ConsumerConfig, GroupSettings
from ottla.groups.consumer.group import ConsumerGroup, GroupState
from ottla.groups.consumer.topics import TopicHashes
from ottla.groups.records import GroupRecords
from ottla.groups.shard import GroupShard
from ottla.wire.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest, TopicPartitions
from tests.groups.consumer_world import ScriptTopics
from tests.support.collecting import collecting_as_served

__all__ = ["Fleet"]

CLIENT: Final = Client("client", "/127.0.0.1")
BATCH_BYTES_MAX: Final = 64 << 20
INTERVAL_MS: Final = 1_000
ROUNDS_MAX: Final = 60


def _perform(operation: Callable[[], None]) -> None:
    operation()


@final
class Fleet:
    """The members of one group, in a shard that encodes what it would write. ``mixed``: no two subscribe to the same
    topics."""

    def __init__(
        self,
        members: int,
        partitions: int,
        *,
        topics: int = 100,
        assignor: str = "uniform",
        mixed: bool = False,
        limits: AssigningLimits | None = None,
        batch_bytes_max: int = BATCH_BYTES_MAX,
        perform: Callable[[Callable[[], None]], None] = _perform,
    ) -> None:
        self.topics = ScriptTopics()
        everything = tuple(f"topic-{number:03}" for number in range(topics))
        for name in everything:
            self.topics.put(name, partitions // topics, ())
        settings = GroupSettings(assignment_interval_ms=INTERVAL_MS)
        consumer = ConsumerConfig(
            settings=lambda _group_id: settings, assignors=(assignor,), assigning=limits or AssigningLimits()
        )
        config = GroupsConfig(classic=ClassicConfig(), consumer=consumer)
        self.machine = GroupShard(config, lambda: "id", TopicHashes(self.topics))
        self.shard: Shard[GroupShard] = Shard(0, 0, GroupRecords(), lambda: None, _settle)
        self.batch_bytes_max = batch_bytes_max
        self.now_ms = INTERVAL_MS
        self.shard.state = State.LOADING
        self.shard.activate(self.machine, self.now)
        self.names = [f"{number:022}" for number in range(members)]
        half = topics // 2
        self.subscribed = {
            name: everything[: half + number % half + 1] if mixed else everything
            for number, name in enumerate(self.names)
        }
        self.epochs = dict.fromkeys(self.names, 0)
        self.has: dict[str, tuple[TopicPartitions, ...]] = dict.fromkeys(self.names, ())
        self.lengths_ms: dict[str, list[float]] = {}
        self.written: list[int] = []
        """How many records, batch by batch."""
        self._perform = perform

    @property
    def now(self) -> Now:
        return Now(self.now_ms, 1_700_000_000_000 + self.now_ms)

    @property
    def group(self) -> ConsumerGroup:
        group = self.machine._consumer.get("g")
        assert group is not None
        return group

    def perform(self, what: str, operation: Callable[[GroupShard, Outbox], None]) -> None:
        begun_s = time.thread_time()
        self._perform(
            lambda: self.shard.perform(self.now, operation, self.batch_bytes_max, atomic=what != "between requests")
        )
        self.lengths_ms.setdefault(what, []).append((time.thread_time() - begun_s) * 1000)
        while (batch := self.shard.next_batch) is not None:
            batch.sent = True
            self.written.append(len(batch.records))
            self.shard.committed(batch)

    def beat(self, name: str, epoch: int | None = None, instance_id: str | None = None) -> None:
        """Raises CoordinatorError."""
        known = self.epochs.get(name, 0) if epoch is None else epoch
        joins = known == 0
        request = ConsumerGroupHeartbeatRequest(
            group_id="g",
            member_id=name,
            member_epoch=known,
            instance_id=instance_id,
            rebalance_timeout_ms=60_000 if joins else -1,
            subscribed_topic_names=self.subscribed.get(name, self.subscribed[self.names[0]]) if joins else None,
            topic_partitions=None if known < 0 else self.has.get(name, ()),
        )
        reply: Reply[Any] = Reply()

        def operation(machine: GroupShard, outbox: Outbox) -> None:
            try:
                machine.consumer_heartbeat(request, CLIENT, 1, lambda _: True, reply, outbox)
            except CoordinatorError as error:
                outbox.refuse(reply, error.code, error.message)

        self.perform("join" if joins else "heartbeat", operation)
        answer = reply.result()
        self.epochs[name] = answer.member_epoch
        if answer.assignment is not None:
            self.has[name] = tuple(
                TopicPartitions(topic_id=topic.topic_id, partitions=topic.partitions)
                for topic in answer.assignment.topic_partitions
            )

    def leave(self, name: str, epoch: int = -1, instance_id: str | None = None) -> None:
        self.beat(name, epoch, instance_id)
        self.names = [each for each in self.names if each != name]

    def step(self) -> bool:
        """A slice of what is due. Whether there was anything."""
        due_ms = self.shard.look_ahead()
        if due_ms is None or due_ms > self.now_ms:
            return False
        self.perform("between requests", lambda machine, outbox: machine.advance(outbox))
        return True

    def settle(self) -> int:
        """Members say that they are there until all have what they should; in how many rounds."""
        for round_ in range(ROUNDS_MAX):
            self.now_ms += INTERVAL_MS
            for name in self.names:
                self.beat(name)
                while self.step():
                    pass
            if self.group.state is GroupState.STABLE:
                return round_
        raise AssertionError("not settled")


def _settle(answers: Any) -> None:
    for answer in answers:
        answer()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--members", type=int, default=1_000)
    parser.add_argument("--partitions", type=int, default=10_000)
    parser.add_argument("--topics", type=int, default=100)
    parser.add_argument("--at-once", action="store_true", help="make targets inside the heartbeat")
    given = parser.parse_args()
    limits = AssigningLimits(at_once_work_max=sys.maxsize) if given.at_once else AssigningLimits()
    print("milliseconds, median / longest")
    for assignor, mixed in (("uniform", False), ("uniform", True), ("range", False), ("range", True)):
        # Once to make what is made once.
        Fleet(2, given.topics, topics=given.topics, assignor=assignor, mixed=mixed).settle()
        fleet = Fleet(
            given.members, given.partitions, topics=given.topics, assignor=assignor, mixed=mixed, limits=limits
        )
        with collecting_as_served():
            fleet.settle()
            # One goes, others move.
            fleet.leave(fleet.names[-1])
            fleet.settle()
        shown = "  ".join(
            f"{what} {sorted(some)[len(some) // 2]:.2f} / {max(some):.1f}" for what, some in fleet.lengths_ms.items()
        )
        print(f"{assignor:8} {'mixed' if mixed else 'equal':6} {shown}")


if __name__ == "__main__":
    main()
