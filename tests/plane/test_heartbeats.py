"""Heartbeats of groups that nothing happens to are answered below: while the control plane does something else, and not
once too often."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from ottla.dataplane.plane import Request
from ottla.errors import ErrorCode
from ottla.server.switchboard import Switchboard
from ottla.testing import Broker
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k13_leave_group import LeaveGroupRequest, MemberIdentity
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from ottla.wire.k15_describe_groups import DescribeGroupsRequest
from ottla.wire.k16_list_groups import ListGroupsRequest
from ottla.wire.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.wire.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from tests.support.raw import Connection

HELD_S: Final = 1.0
LIST_GROUPS: Final = 16
SESSION_MS: Final = 30_000
RETRIABLE: Final = (
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
)


class Control:
    """What comes up, by API; and the thread that takes it, which can be held."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed_up: Counter[int] = Counter()
        self._is_held, self._goes_on = threading.Event(), threading.Event()
        route = Switchboard.route

        def counting(switchboard: Switchboard, request: Request) -> None:
            self.passed_up[request.api_key] += 1
            if request.api_key == LIST_GROUPS:
                self._is_held.set()
                assert self._goes_on.wait(60)
            route(switchboard, request)

        monkeypatch.setattr(Switchboard, "route", counting)

    def while_held(self, connection: Connection, action: Callable[[], None]) -> None:
        connection.send(ListGroupsRequest(), 5)
        assert self._is_held.wait(60)
        try:
            action()
        finally:
            self._goes_on.set()
        connection.receive()


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> Control:
    return Control(monkeypatch)


@pytest.fixture
def broker(control: Control) -> Iterator[Broker]:
    config = {
        "group.initial.rebalance.delay.ms": 0,
        "group.consumer.min.assignment.interval.ms": 0,
        "group.consumer.assignment.interval.ms": 0,
        "offsets.topic.num.partitions": 1,
    }
    with Broker(config=config) as broker:
        broker.create_topic("read", partitions=4)
        with Connection(broker.bootstrap_servers) as connection:
            # Makes the topic of the groups.
            connection.ask(FindCoordinatorRequest(coordinator_keys=("classic",)), 4)
        yield broker


def ask(connection: Connection, request: object, version: int) -> Any:
    """Until the coordinator is there."""
    deadline = time.monotonic() + 60
    while (answer := connection.ask(request, version)).error_code in RETRIABLE:
        assert time.monotonic() < deadline
    return answer


def join(member_id: str = "") -> JoinGroupRequest:
    return JoinGroupRequest(
        group_id="classic",
        session_timeout_ms=SESSION_MS,
        rebalance_timeout_ms=SESSION_MS,
        member_id=member_id,
        protocol_type="consumer",
        protocols=(JoinGroupRequestProtocol(name="range", metadata=b""),),
    )


def stable(connection: Connection) -> HeartbeatRequest:
    """A group of one member, and its heartbeat."""
    joined = ask(connection, join(), 3)
    shares = (SyncGroupRequestAssignment(member_id=joined.member_id, assignment=b"x"),)
    who: dict[str, Any] = {
        "group_id": "classic",
        "generation_id": joined.generation_id,
        "member_id": joined.member_id,
    }
    assert connection.ask(SyncGroupRequest(**who, assignments=shares), 3).error_code == ErrorCode.NONE
    return HeartbeatRequest(**who)


def consumer(connection: Connection, member_id: str) -> ConsumerGroupHeartbeatRequest:
    """A member of the new protocol that has what it should have, and its heartbeat."""
    answer = ask(
        connection,
        ConsumerGroupHeartbeatRequest(
            group_id="consumer",
            member_id=member_id,
            member_epoch=0,
            rebalance_timeout_ms=SESSION_MS,
            subscribed_topic_names=("read",),
            topic_partitions=(),
        ),
        1,
    )
    return ConsumerGroupHeartbeatRequest(group_id="consumer", member_id=member_id, member_epoch=answer.member_epoch)


def beat(connection: Connection, request: object, version: int) -> int:
    """Heartbeats for a while; how many."""
    count, end = 0, time.monotonic() + HELD_S
    while time.monotonic() < end:
        assert connection.ask(request, version).error_code == ErrorCode.NONE
        count += 1
    return count


def test_heartbeats_are_answered_while_python_is_held_and_the_next_one_hears_of_a_rebalance(
    broker: Broker, control: Control
) -> None:
    with Connection(broker.bootstrap_servers) as member, Connection(broker.bootstrap_servers) as other:
        heartbeat = stable(member)
        assert member.ask(heartbeat, 4).error_code == ErrorCode.NONE
        before = control.passed_up[12]
        control.while_held(other, lambda: print(beat(member, heartbeat, 4), "heartbeats"))
        assert control.passed_up[12] == before

        other.send(join(), 3)
        with Connection(broker.bootstrap_servers) as third:
            # Whoever is new waits for the member: that it came is seen from elsewhere.
            while third.ask(DescribeGroupsRequest(groups=("classic",)), 5).groups[0].group_state == "Stable":
                pass
        assert member.ask(heartbeat, 4).error_code == ErrorCode.REBALANCE_IN_PROGRESS
        again = member.ask(join(heartbeat.member_id), 3)
        assert again.error_code == ErrorCode.NONE
        assert other.receive().generation_id == again.generation_id


def test_a_member_of_the_new_protocol_hears_of_another_with_the_next_heartbeat(
    broker: Broker, control: Control
) -> None:
    with Connection(broker.bootstrap_servers) as member, Connection(broker.bootstrap_servers) as other:
        heartbeat = consumer(member, "first")
        assert member.ask(heartbeat, 1).error_code == ErrorCode.NONE
        before = control.passed_up[68]
        control.while_held(other, lambda: print(beat(member, heartbeat, 1), "heartbeats"))
        assert control.passed_up[68] == before

        consumer(other, "second")
        answer = member.ask(heartbeat, 1)
        assert answer.assignment is not None, "it has something to give up"
        assert sum(len(topic.partitions) for topic in answer.assignment.topic_partitions) == 2


def test_what_is_configured_is_in_the_next_answer(broker: Broker) -> None:
    with Connection(broker.bootstrap_servers) as member, Connection(broker.bootstrap_servers) as admin:
        heartbeat = consumer(member, "first")
        assert [member.ask(heartbeat, 1).heartbeat_interval_ms for _ in range(3)] == [5_000] * 3
        config = AlterableConfig(name="consumer.heartbeat.interval.ms", config_operation=0, value="6000")
        resource = AlterConfigsResource(resource_type=32, resource_name="consumer", configs=(config,))
        answer = admin.ask(IncrementalAlterConfigsRequest(resources=(resource,)), 1)
        assert [result.error_code for result in answer.responses] == [0]
        assert member.ask(heartbeat, 1).heartbeat_interval_ms == 6_000


def test_a_member_that_was_taken_out_hears_it_at_once(broker: Broker) -> None:
    with Connection(broker.bootstrap_servers) as member, Connection(broker.bootstrap_servers) as tool:
        heartbeat = stable(member)
        assert [member.ask(heartbeat, 4).error_code for _ in range(3)] == [ErrorCode.NONE] * 3
        who = MemberIdentity(member_id=heartbeat.member_id)
        tool.ask(LeaveGroupRequest(group_id="classic", members=(who,)), 5)
        assert member.ask(heartbeat, 4).error_code == ErrorCode.UNKNOWN_MEMBER_ID
