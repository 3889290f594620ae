"""Clients of simulated histories: they do what clients of both protocols do, one request at a time."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Final

from ottla.coordinator.machine import CoordinatorError, Outbox, Reply
from ottla.errors import ErrorCode
from ottla.groups.client import Client
from ottla.groups.consumer.embedded import read_assignment, read_subscription
from ottla.records.consumer_protocol import (
    AssignmentTopicPartition,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    SubscriptionTopicPartition,
)
from ottla.wire.codec import encode
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k13_leave_group import LeaveGroupRequest, MemberIdentity
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from ottla.wire.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest, TopicPartitions
from tests.groups.consumer_world import ScriptTopics

if TYPE_CHECKING:
    from tests.groups.consumer_histories import Broker

SESSION_MS: Final = 6_000
REBALANCE_MS: Final = 9_000
SUBSCRIPTIONS: Final = (("ta",), ("ta", "tb"), ("ta", "tb"), ("tb", "tc", "u"))
EXPRESSIONS: Final = ("t.*", "[ab].*|u", "t[ac]")
Partition = tuple[str, int]


class Member:
    """A client. ``owned`` is what it reads at present."""

    def __init__(self, broker: Broker, name: str, rng: random.Random, instance_id: str | None) -> None:
        self.broker = broker
        self.rng = rng
        self.name = name
        self.instance_id = instance_id
        self.member_id = ""
        self.epoch = 0
        self.owned: set[Partition] = set()
        self.topics = rng.choice(SUBSCRIPTIONS)
        self.loses_answers = False

    def beat(self, request: Any, operation: Callable[[Any, Outbox], None], settled: Callable[[Any], None]) -> None:
        """A heartbeat, which the data plane may answer."""
        key = (self.name, self.member_id, repr(request))
        answer = self.broker.below.give(key, self.broker.now_ms)
        if answer is None:
            self.ask(operation, settled, key)
        elif not self.loses_answers:
            settled(answer)

    def ask(
        self, operation: Callable[[Any, Outbox], None], settled: Callable[[Any], None], key: Hashable = None
    ) -> None:
        def done() -> None:
            try:
                answer = reply.result()
            except CoordinatorError as error:
                answer = error
            if key is not None:
                self.broker.below.keep(key, reply, operation)
            if not self.loses_answers:
                settled(answer)

        reply: Reply[Any] = Reply()
        reply.when_settled(done)
        self.broker.call(operation, reply)

    @property
    def client(self) -> Client:
        return Client(self.name, "/h")


class ConsumerMember(Member):
    """Of the new protocol."""

    def __init__(self, broker: Broker, name: str, rng: random.Random, instance_id: str | None) -> None:
        super().__init__(broker, name, rng, instance_id)
        self.regex = rng.choice(EXPRESSIONS) if rng.random() < 0.3 else None
        self.member_id = name
        self.assigned: set[Partition] | None = None

    def step(self) -> None:
        joins = self.epoch <= 0
        if self.assigned is not None and (joins or self.rng.random() < 0.8):
            # Gives up what went; what came it may read once the broker knows of that, which it does here at once.
            self.owned = set(self.assigned)
            self.assigned = None
        if joins:
            self.owned = set()
            self.epoch = 0
        full = joins or self.rng.random() < 0.1
        says = full or self.rng.random() < 0.7
        names = () if self.regex is not None else self.topics
        request = ConsumerGroupHeartbeatRequest(
            group_id="g",
            member_id=self.member_id,
            member_epoch=self.epoch,
            instance_id=self.instance_id,
            rebalance_timeout_ms=REBALANCE_MS if full else -1,
            subscribed_topic_names=names if full else None,
            subscribed_topic_regex=(self.regex or "") if full else None,
            topic_partitions=_by_id(self.owned, self.broker.topics) if says else None,
        )
        self.beat(
            request,
            lambda reply, outbox: self.broker.shard.consumer_heartbeat(
                request, self.client, 1, lambda _topic: True, reply, outbox
            ),
            self._heard,
        )

    def _heard(self, answer: Any) -> None:
        if isinstance(answer, CoordinatorError):
            if answer.code not in (ErrorCode.NOT_COORDINATOR, ErrorCode.UNRELEASED_INSTANCE_ID):
                self.epoch, self.owned, self.assigned = 0, set(), None
            return
        self.epoch = answer.member_epoch
        if answer.assignment is not None:
            self.assigned = _named(answer.assignment.topic_partitions, self.broker.topics)

    def leave(self, epoch: int) -> None:
        request = ConsumerGroupHeartbeatRequest(
            group_id="g", member_id=self.member_id, member_epoch=epoch, instance_id=self.instance_id
        )
        self.ask(
            lambda reply, outbox: self.broker.shard.consumer_heartbeat(
                request, self.client, 1, lambda _topic: True, reply, outbox
            ),
            lambda _answer: None,
        )


class ClassicMember(Member):
    """Of the classic protocol, eager or cooperative. The leader leaves to everybody what it says it has."""

    def __init__(self, broker: Broker, name: str, rng: random.Random, instance_id: str | None) -> None:
        super().__init__(broker, name, rng, instance_id)
        self.eager = rng.random() < 0.3
        self.state = "join"
        self.leads = False
        self.assigns: tuple[Any, ...] = ()
        self.assigned_version = 0

    def step(self) -> None:
        match self.state:
            case "join":
                self._join()
            case "sync":
                self._sync()
            case "stable":
                self._beat()

    def _join(self) -> None:
        if self.eager:
            self.owned = set()
        subscription = ConsumerProtocolSubscription(
            topics=self.topics,
            owned_partitions=tuple(
                SubscriptionTopicPartition(topic=name, partitions=tuple(sorted(p for n, p in self.owned if n == name)))
                for name in sorted({name for name, _ in self.owned})
            ),
        )
        metadata = (3).to_bytes(2) + encode(subscription, 3)
        request = JoinGroupRequest(
            group_id="g",
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=REBALANCE_MS,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            protocol_type="consumer",
            protocols=(JoinGroupRequestProtocol(name="p", metadata=metadata),),
        )
        self.state = "waits"
        self.ask(
            lambda reply, outbox: self.broker.shard.join_group(request, self.client, 9, reply, outbox), self._joined
        )

    def _joined(self, answer: Any) -> None:
        self.state = "join"
        if self._failed(answer):
            return
        self.member_id = answer.member_id or self.member_id
        if answer.error_code == ErrorCode.NONE:
            self.epoch, self.state = answer.generation_id, "sync"
            self.leads = answer.leader == answer.member_id
            self.assigns = answer.members if self.leads and not answer.skip_assignment else ()
            self.assigned_version = 0

    def _sync(self) -> None:
        if self.assigns:
            self.assigned_version = self.broker.topics.version
        request = SyncGroupRequest(
            group_id="g",
            generation_id=self.epoch,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            protocol_type="consumer",
            protocol_name="p",
            assignments=_assign(self.assigns, self.broker.topics),
        )
        self.state = "waits"
        self.ask(
            lambda reply, outbox: self.broker.shard.sync_group(request, self.client, 5, reply, outbox), self._synced
        )

    def _synced(self, answer: Any) -> None:
        self.state = "join"
        if self._failed(answer) or answer.error_code:
            return
        read = read_assignment(answer.assignment)
        assigned = {(topic.topic, p) for topic in read.assigned_partitions for p in topic.partitions}
        gives_up = self.owned - assigned
        self.owned = assigned
        self.state = "join" if gives_up else "stable"

    def _beat(self) -> None:
        if self.leads and self.assigned_version != self.broker.topics.version:
            # A leader looks after the topics of all; one that did not assign does not know how they were.
            self._join()
            return
        request = HeartbeatRequest(
            group_id="g", generation_id=self.epoch, member_id=self.member_id, group_instance_id=self.instance_id
        )
        self.beat(
            request,
            lambda reply, outbox: self.broker.shard.heartbeat(request, self.client, 4, reply, outbox),
            self._beaten,
        )

    def _beaten(self, answer: Any) -> None:
        if not self._failed(answer) and answer.error_code == ErrorCode.REBALANCE_IN_PROGRESS:
            self.state = "join"

    def _failed(self, answer: Any) -> bool:
        if isinstance(answer, CoordinatorError):
            self.state = "join"
            return True
        if answer.error_code in (
            ErrorCode.UNKNOWN_MEMBER_ID,
            ErrorCode.FENCED_INSTANCE_ID,
            ErrorCode.ILLEGAL_GENERATION,
            ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
        ):
            if answer.error_code != ErrorCode.ILLEGAL_GENERATION:
                self.member_id = ""
            self.owned, self.state = set(), "join"
            return True
        return False

    def leave(self, _epoch: int) -> None:
        identity = MemberIdentity(member_id=self.member_id, group_instance_id=self.instance_id)
        request = LeaveGroupRequest(group_id="g", members=(identity,))
        if self.instance_id is None and self.member_id:
            self.ask(
                lambda reply, outbox: self.broker.shard.leave_group(request, self.client, 5, reply, outbox),
                lambda _answer: None,
            )


def _assign(members: tuple[Any, ...], topics: ScriptTopics) -> tuple[SyncGroupRequestAssignment, ...]:
    shares: dict[str, set[Partition]] = {member.member_id: set() for member in members}
    said = {member.member_id: read_subscription(member.metadata) for member in members}
    taken: set[Partition] = set()
    for member_id, subscription in said.items():
        for topic in subscription.owned_partitions:
            known = topics.named(topic.topic)
            if known is not None and topic.topic in subscription.topics:
                mine = {(topic.topic, p) for p in topic.partitions if p < known.partition_count} - taken
                shares[member_id] |= mine
                taken |= mine
    for name in sorted({name for subscription in said.values() for name in subscription.topics}):
        known = topics.named(name)
        for partition in range(0 if known is None else known.partition_count):
            if (name, partition) not in taken:
                readers = [member_id for member_id, subscription in said.items() if name in subscription.topics]
                shares[min(readers, key=lambda member_id: (len(shares[member_id]), member_id))].add((name, partition))
    return tuple(
        SyncGroupRequestAssignment(member_id=member_id, assignment=_embedded(share))
        for member_id, share in shares.items()
    )


def _embedded(share: set[Partition]) -> bytes:
    message = ConsumerProtocolAssignment(
        assigned_partitions=tuple(
            AssignmentTopicPartition(topic=name, partitions=tuple(sorted(p for n, p in share if n == name)))
            for name in sorted({name for name, _ in share})
        )
    )
    return (3).to_bytes(2) + encode(message, 3)


def _by_id(owned: set[Partition], topics: ScriptTopics) -> tuple[TopicPartitions, ...]:
    found = []
    for name in sorted({name for name, _ in owned}):
        topic = topics.named(name)
        if topic is not None:
            partitions = tuple(sorted(p for n, p in owned if n == name))
            found.append(TopicPartitions(topic_id=topic.topic_id, partitions=partitions))
    return tuple(found)


def _named(assignment: Any, topics: ScriptTopics) -> set[Partition]:
    named: set[Partition] = set()
    for each in assignment:
        topic = topics.with_id(each.topic_id)
        if topic is not None:
            named |= {(topic.name, partition) for partition in each.partitions}
    return named
