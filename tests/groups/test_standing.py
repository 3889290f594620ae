"""Answers of heartbeats that the data plane gives by itself: when they are offered, what ends them, and that sessions
last as if each had come up. What no change may miss is in the histories (``tests.groups.standing``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ottla.coordinator.machine import CoordinatorError, Now, Offer, Outbox, Reply
from ottla.errors import ErrorCode
from ottla.groups.classic.config import ClassicConfig
from ottla.groups.client import Client
from ottla.groups.config import GroupsConfig
from ottla.groups.consumer.config import ConsumerConfig, GroupSettings
from ottla.groups.consumer.topics import TopicHashes
from ottla.groups.shard import GroupShard
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k13_leave_group import LeaveGroupRequest, MemberIdentity
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from ottla.wire.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from tests.groups.consumer_world import ScriptTopics
from tests.groups.standing import HeldAnswer

SESSION_MS = 10_000
REGEX_REFRESH_MS = 7_000
CLIENT = Client("client", "/127.0.0.1")


class World:
    """A shard whose records are committed at once, and its clock."""

    def __init__(self) -> None:
        self.topics = ScriptTopics()
        self.topics.put("ta", 2, ())
        self.told: list[str] = []
        self.now_ms = 0
        ids = iter(range(1_000))
        settings = GroupSettings(SESSION_MS, 1_000, 0)
        config = GroupsConfig(
            classic=ClassicConfig(session_timeout_ms_min=1, initial_rebalance_delay_ms=0),
            consumer=ConsumerConfig(settings=lambda _: settings, regex_refresh_interval_ms=REGEX_REFRESH_MS),
        )
        self.hashes = TopicHashes(self.topics)
        self.shard = GroupShard(config, lambda: f"{next(ids):032}", self.hashes)

    def begin(self, handle: Any, *arguments: Any) -> tuple[Reply[Any], Callable[[], None]]:
        """An operation; what it answers leaves with a call of the second."""
        outbox, reply = Outbox(Now(self.now_ms, 1_000_000 + self.now_ms), self.shard.apply), Reply[Any]()
        handle(*arguments, reply, outbox)

        def leave() -> None:
            for answer in outbox.answers:
                answer()

        return reply, leave

    def ask(self, handle: Any, *arguments: Any) -> Reply[Any]:
        reply, leave = self.begin(handle, *arguments)
        leave()
        return reply

    def advance_to(self, now_ms: int) -> None:
        """Does all that is due, each at its moment."""
        while (due_ms := self.shard.next_deadline_ms()) is not None and due_ms <= now_ms:
            self.now_ms = max(self.now_ms, due_ms)
            outbox = Outbox(Now(self.now_ms, 1_000_000 + self.now_ms), self.shard.apply)
            self.shard.advance(outbox)
            for answer in outbox.answers:
                answer()
        self.now_ms = now_ms

    def hold(self, reply: Reply[Any]) -> HeldAnswer:
        """As the data plane does with an answer that leaves."""
        offer = reply.offer
        assert offer is not None
        assert offer.is_good
        held = HeldAnswer(offer.used_ms, offer.until_ms)
        offer.hold(held)
        return held

    # Classic.

    def join(self, group_id: str, member_id: str = "", instance_id: str | None = None) -> Reply[Any]:
        request = JoinGroupRequest(
            group_id=group_id,
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=60_000,
            member_id=member_id,
            group_instance_id=instance_id,
            protocol_type="consumer",
            protocols=(JoinGroupRequestProtocol(name="range", metadata=b""),),
        )
        return self.ask(self.shard.join_group, request, CLIENT, 3 if instance_id is None else 5)

    def classic(self, count: int, group_id: str = "g", instance_id: str | None = None) -> list[str]:
        """A Stable group of so many members."""
        replies = [self.join(group_id, instance_id=instance_id)]
        self.advance_to(self.now_ms)
        members = [replies[0].result().member_id]
        while len(members) < count:
            new = self.join(group_id)
            replies = [self.join(group_id, member_id) for member_id in members]
            members.append(new.result().member_id)
        generation = self._generation(group_id)
        shares = tuple(SyncGroupRequestAssignment(member_id=member, assignment=b"x") for member in members)
        for member in members:
            request = SyncGroupRequest(
                group_id=group_id, generation_id=generation, member_id=member, assignments=shares
            )
            self.ask(self.shard.sync_group, request, CLIENT, 3)
        return members

    def _generation(self, group_id: str) -> int:
        group = self.shard._classic.get(group_id)
        assert group is not None
        return group.generation

    def beat(self, member_id: str, group_id: str = "g") -> tuple[Reply[Any], Callable[[], None]]:
        request = HeartbeatRequest(group_id=group_id, generation_id=self._generation(group_id), member_id=member_id)
        return self.begin(self.shard.heartbeat, request, CLIENT, 4)

    def held(self, member_id: str, group_id: str = "g") -> HeldAnswer:
        """A heartbeat, and the answer that stands from then on."""
        reply, leave = self.beat(member_id, group_id)
        leave()
        assert reply.result().error_code == ErrorCode.NONE
        return self.hold(reply)

    def members(self, group_id: str = "g") -> set[str]:
        group = self.shard._classic.get(group_id)
        assert group is not None
        return set(group.members)

    # The new protocol.

    def say(self, member_id: str, epoch: int, **more: Any) -> Reply[Any]:
        request = ConsumerGroupHeartbeatRequest(group_id="c", member_id=member_id, member_epoch=epoch, **more)
        return self.ask(self.shard.consumer_heartbeat, request, CLIENT, 1, lambda _topic: True)

    def consumer(self, *member_ids: str, regex: str | None = None) -> int:
        """Members who all have what they should have; their epoch."""
        epochs = dict.fromkeys(member_ids, 0)
        names = () if regex else ("ta",)
        for _ in range(3):
            for member_id, epoch in epochs.items():
                said: dict[str, Any] = {"topic_partitions": ()} if epoch == 0 else {}
                if epoch == 0:
                    said |= {"rebalance_timeout_ms": 60_000, "subscribed_topic_names": names}
                    said |= {"subscribed_topic_regex": regex}
                epochs[member_id] = self.say(member_id, epoch, **said).result().member_epoch
                self.advance_to(self.now_ms)
        assert len(set(epochs.values())) == 1
        return epochs[member_ids[0]]

    def consumers(self) -> set[str]:
        group = self.shard._consumer.get("c")
        return set() if group is None else set(group.members)


def test_a_classic_session_ends_one_timeout_after_the_last_use_and_not_before() -> None:
    world = World()
    (member,) = world.classic(1)
    held = world.held(member)
    world.advance_to(9_999)
    assert held.use(world.now_ms)
    world.advance_to(9_999 + SESSION_MS - 1)
    assert world.members() == {member}
    assert not held.use(world.now_ms), "nothing stands longer than a session"
    world.advance_to(9_999 + SESSION_MS)
    assert world.members() == set()


def test_a_consumer_session_ends_one_timeout_after_the_last_use_and_not_before() -> None:
    world = World()
    epoch = world.consumer("a")
    held = world.hold(world.say("a", epoch))
    world.advance_to(9_999)
    assert held.use(world.now_ms)
    world.advance_to(9_999 + SESSION_MS - 1)
    assert world.consumers() == {"a"}
    world.advance_to(9_999 + SESSION_MS)
    assert world.consumers() == set()


def test_a_use_at_the_deadline_counts() -> None:
    """Who looks may be late: what was noted by then was there before."""
    world = World()
    (member,) = world.classic(1)
    held = world.held(member)
    assert held.use(9_999)
    world.now_ms = 12_000
    world.advance_to(12_000)
    assert world.members() == {member}
    assert world.shard.next_deadline_ms() == 9_999 + SESSION_MS


def test_a_use_between_the_look_and_the_end_counts() -> None:
    world = World()
    (member,) = world.classic(1)
    held = HeldAnswer(0, SESSION_MS)

    class Late:
        """Was used by a network thread just after somebody looked."""

        def used_ms(self) -> int:
            return held.used_ms()

        def withdraw(self) -> int:
            held.use(9_000)
            return held.withdraw()

    reply, leave = world.beat(member)
    leave()
    offer = reply.offer
    assert offer is not None
    offer.hold(Late())
    world.advance_to(10_000)
    assert world.members() == {member}
    world.advance_to(18_999)
    assert world.members() == {member}
    world.advance_to(19_000)
    assert world.members() == set()


def test_a_session_that_was_prolonged_below_outlasts_the_end_of_the_answer() -> None:
    world = World()
    one, other = world.classic(2)
    held = world.held(one)
    assert held.use(8_000)
    world.now_ms = 8_000
    world.held(other)
    request = LeaveGroupRequest(group_id="g", members=(MemberIdentity(member_id=other),))
    world.ask(world.shard.leave_group, request, CLIENT, 5)
    assert not held.use(8_001)
    world.advance_to(8_000 + SESSION_MS - 1)
    assert world.members() == {one}
    world.advance_to(8_000 + SESSION_MS)
    assert world.members() == set()


def test_another_answer_of_the_same_member_takes_the_place_of_the_first() -> None:
    world = World()
    (member,) = world.classic(1)
    first = world.held(member)
    assert first.use(5_000)
    world.now_ms = 1_000
    second = world.held(member)
    assert not first.use(6_000)
    assert second.use(6_000)
    world.advance_to(15_999)
    assert world.members() == {member}
    world.advance_to(16_000)
    assert world.members() == set()


def _another_joins(world: World, _member: str) -> None:
    world.join("g")


def _leaves(world: World, member: str) -> None:
    request = LeaveGroupRequest(group_id="g", members=(MemberIdentity(member_id=member),))
    world.ask(world.shard.leave_group, request, CLIENT, 5)


def _joins_again(world: World, member: str) -> None:
    world.join("g", member)


def _settings_change(world: World, _member: str) -> None:
    world.shard.settings_changed()


def _is_given_up(world: World, _member: str) -> None:
    world.shard.abandon()


def _migrates(world: World, _member: str) -> None:
    request = ConsumerGroupHeartbeatRequest(
        group_id="g",
        member_id="new",
        member_epoch=0,
        rebalance_timeout_ms=60_000,
        subscribed_topic_names=("ta",),
        topic_partitions=(),
    )
    # Its metadata is not a consumer's: that is found out, and nothing changes.
    with pytest.raises(CoordinatorError):
        world.ask(world.shard.consumer_heartbeat, request, CLIENT, 1, lambda _topic: True)
    world.shard._classic.dissolve("g", Outbox(Now(world.now_ms, world.now_ms), world.shard.apply))


@pytest.mark.parametrize("change", [_another_joins, _leaves, _joins_again, _settings_change, _is_given_up, _migrates])
def test_what_happens_to_a_classic_group_ends_what_stands_of_it_and_of_no_other(
    change: Callable[[World, str], None],
) -> None:
    world = World()
    (member,) = world.classic(1)
    (elsewhere,) = world.classic(1, "h")
    held, other = world.held(member), world.held(elsewhere, "h")
    # An answer that is on its way when it happens.
    reply, leave = world.beat(member)
    change(world, member)
    leave()
    offer: Offer | None = reply.offer
    assert offer is not None
    assert not offer.is_good
    assert not held.use(1)
    concerns_all = change in (_settings_change, _is_given_up)
    assert other.use(1) is not concerns_all


def test_a_static_member_that_comes_back_ends_what_stands() -> None:
    world = World()
    (member,) = world.classic(1, instance_id="i")
    held = world.held(member)
    again = world.join("g", instance_id="i")
    assert again.result().member_id != member
    assert not held.use(1)


def test_nothing_is_offered_but_what_would_be_said_again() -> None:
    world = World()
    (member,) = world.classic(1)
    world.join("g")
    reply, leave = world.beat(member)
    leave()
    assert reply.result().error_code == ErrorCode.REBALANCE_IN_PROGRESS
    assert reply.offer is None
    assert world.say("a", 0, rebalance_timeout_ms=1, subscribed_topic_names=("ta",), topic_partitions=()).offer is None


def _topic_grows(world: World) -> None:
    world.topics.put("ta", 3, ())
    world.hashes.forget(("ta",))
    world.shard.topics_changed(("ta",), created=False)


def _someone_joins(world: World) -> None:
    world.say("b", 0, rebalance_timeout_ms=60_000, subscribed_topic_names=("ta",), topic_partitions=())


def _it_leaves(world: World) -> None:
    world.say("a", -1)


@pytest.mark.parametrize("change", [_topic_grows, _someone_joins, _it_leaves])
def test_what_happens_to_a_consumer_group_ends_what_stands_of_it(change: Callable[[World], None]) -> None:
    world = World()
    held = world.hold(world.say("a", world.consumer("a")))
    world.topics.put("tb", 1, ())
    world.shard.topics_changed(("tb",), created=True)
    assert held.use(1), "a topic that it does not read"
    change(world)
    assert not held.use(2)


def test_an_answer_to_a_group_with_expressions_ends_when_they_are_due_and_when_topics_come() -> None:
    world = World()
    epoch = world.consumer("a", regex="t.*")
    world.advance_to(2_000)
    held = world.hold(world.say("a", epoch))
    assert held.use(REGEX_REFRESH_MS - 1)
    assert not held.use(REGEX_REFRESH_MS), "they are looked up again"
    held = world.hold(world.say("a", epoch))
    world.topics.put("tb", 1, ())
    world.shard.topics_changed(("tb",), created=True)
    assert not held.use(2_001)


def test_thousands_of_members_cost_a_look_each_when_their_sessions_would_end() -> None:
    world = World()
    groups = [f"g{number}" for number in range(300)]
    held = {group_id: world.held(world.classic(1, group_id)[0], group_id) for group_id in groups}
    for each in held.values():
        assert each.use(9_000)
    world.advance_to(18_999)
    assert all(len(world.members(group_id)) == 1 for group_id in groups)
    world.advance_to(19_000)
    assert not any(world.members(group_id) for group_id in groups)
