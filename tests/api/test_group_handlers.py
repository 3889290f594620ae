"""Handlers of group APIs: who may, every version, and coordinators that are not there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
import trio
import trio.testing

from ottla.api.table import by_key
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation, Principal, Resource, ResourceType
from ottla.wire.k08_offset_commit import OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic
from ottla.wire.k09_offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k13_leave_group import LeaveGroupRequest, MemberIdentity
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from ottla.wire.k15_describe_groups import DescribeGroupsRequest
from ottla.wire.k16_list_groups import ListGroupsRequest
from ottla.wire.k19_create_topics import CreatableTopic, CreateTopicsRequest
from ottla.wire.k20_delete_topics import DeleteTopicsRequest
from ottla.wire.k42_delete_groups import DeleteGroupsRequest
from ottla.wire.k47_offset_delete import OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic
from tests.support.memory_broker import MemoryBroker, memory_broker

Main = Callable[[], Awaitable[None]]

GROUP: Final = ErrorCode.GROUP_AUTHORIZATION_FAILED
TOPIC: Final = ErrorCode.TOPIC_AUTHORIZATION_FAILED
ABSENT: Final = ErrorCode.COORDINATOR_NOT_AVAILABLE
SHARE_KEY: Final = "g:AAAAAAAAAAAAAAAAAAAAAQ:0"


class Denied:
    """Everything is allowed but these (operation, type, name)."""

    def __init__(self, *denied: tuple[Operation, ResourceType, str]) -> None:
        self._denied = denied

    def allows(self, principal: Principal, host: str, operation: Operation, resource: Resource) -> bool:
        return (operation, resource.type, resource.name) not in self._denied


def no_group(operation: Operation, name: str = "g") -> Denied:
    return Denied((operation, ResourceType.GROUP, name))


def no_topic(operation: Operation, name: str = "t") -> Denied:
    return Denied((operation, ResourceType.TOPIC, name))


def run(main: Main) -> None:
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def create(broker: MemoryBroker, *names: str) -> None:
    topics = tuple(CreatableTopic(name=name, num_partitions=1, replication_factor=1) for name in names)
    answer = await broker.ask(CreateTopicsRequest(topics=topics), 7)
    assert [topic.error_code for topic in answer.topics] == [0] * len(names)


async def coordinated(broker: MemoryBroker) -> None:
    """There is a coordinator, and it has loaded."""
    answer = await broker.ask(FindCoordinatorRequest(coordinator_keys=("g",)), 4)
    assert [each.error_code for each in answer.coordinators] == [0]
    await trio.testing.wait_all_tasks_blocked()


def join_request(member_id: str = "", **fields: Any) -> JoinGroupRequest:
    return JoinGroupRequest(
        group_id="g",
        session_timeout_ms=10_000,
        rebalance_timeout_ms=10_000,
        member_id=member_id,
        protocol_type="consumer",
        protocols=(JoinGroupRequestProtocol(name="range", metadata=b""),),
        **fields,
    )


async def join(broker: MemoryBroker, version: int = 9) -> str:
    answer = await broker.ask(join_request(), version)
    if answer.error_code == ErrorCode.MEMBER_ID_REQUIRED:
        answer = await broker.ask(join_request(answer.member_id), version)
    assert answer.error_code == 0
    return str(answer.member_id)


def commit_request(*names: str, offset: int = 5, group_id: str = "g") -> OffsetCommitRequest:
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset, committed_metadata="")
    topics = tuple(OffsetCommitRequestTopic(name=name, partitions=(partition,)) for name in names)
    return OffsetCommitRequest(group_id=group_id, topics=topics)


async def commit(broker: MemoryBroker, *names: str) -> dict[str, int]:
    answer = await broker.ask(commit_request(*names), 9)
    return {topic.name: topic.partitions[0].error_code for topic in answer.topics}


async def fetch(broker: MemoryBroker, *names: str) -> dict[str, tuple[int, int]]:
    topics = tuple(OffsetFetchRequestTopics(name=name, partition_indexes=(0,)) for name in names) if names else None
    request = OffsetFetchRequest(groups=(OffsetFetchRequestGroup(group_id="g", topics=topics),))
    (group,) = (await broker.ask(request, 9)).groups
    if group.error_code:
        return {"": (-1, group.error_code)}
    found = {topic.name: topic.partitions[0] for topic in group.topics}
    return {name: (partition.committed_offset, partition.error_code) for name, partition in found.items()}


def versions(key: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("version", by_key[key].versions)


# --- every version ----------------------------------------------------------------------------------------------------


@versions(11)
def test_a_member_joins_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await coordinated(broker)
            assert (await join(broker, version)).startswith("test-")

    run(main)


@versions(14)
def test_a_member_syncs_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await coordinated(broker)
            member_id = await join(broker)
            given = (SyncGroupRequestAssignment(member_id=member_id, assignment=b"all"),)
            request = SyncGroupRequest(
                group_id="g",
                generation_id=1,
                member_id=member_id,
                protocol_type="consumer",
                protocol_name="range",
                assignments=given,
            )
            answer = await broker.ask(request, version)
            assert (answer.error_code, answer.assignment) == (0, b"all")

    run(main)


@versions(12)
def test_a_member_is_heard_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await coordinated(broker)
            member_id = await join(broker)
            request = HeartbeatRequest(group_id="g", generation_id=1, member_id=member_id)
            assert (await broker.ask(request, version)).error_code == 0

    run(main)


@versions(13)
def test_a_member_leaves_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await coordinated(broker)
            member_id = await join(broker)
            request = (
                LeaveGroupRequest(group_id="g", members=(MemberIdentity(member_id=member_id),))
                if version >= 3
                else LeaveGroupRequest(group_id="g", member_id=member_id)
            )
            answer = await broker.ask(request, version)
            assert (answer.error_code, [each.error_code for each in answer.members]) == (0, [0] * (version >= 3))
            again = await broker.ask(HeartbeatRequest(group_id="g", generation_id=1, member_id=member_id), 4)
            assert again.error_code == ErrorCode.UNKNOWN_MEMBER_ID

    run(main)


@versions(8)
def test_offsets_are_committed_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            await coordinated(broker)
            topic_id = broker.node.loader.image.topics.id_of["t"]
            partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=7, committed_metadata=None)
            by_id = version >= 10
            named: Any = {"topic_id": topic_id} if by_id else {"name": "t"}
            topic = OffsetCommitRequestTopic(partitions=(partition,), **named)
            (answered,) = (await broker.ask(OffsetCommitRequest(group_id="g", topics=(topic,)), version)).topics
            assert (answered.name, answered.topic_id) == (("", topic_id) if by_id else ("t", bytes(16)))
            assert [each.error_code for each in answered.partitions] == [0]
            assert await fetch(broker, "t") == {"t": (7, 0)}

    run(main)


@versions(9)
def test_offsets_are_fetched_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            await coordinated(broker)
            assert await commit(broker, "t") == {"t": 0}
            topic_id = broker.node.loader.image.topics.id_of["t"]
            if version < 8:
                old = OffsetFetchRequestTopic(name="t", partition_indexes=(0,))
                answer = await broker.ask(OffsetFetchRequest(group_id="g", topics=(old,)), version)
                (topic,) = answer.topics
            else:
                named: Any = {"topic_id": topic_id} if version >= 10 else {"name": "t"}
                new = OffsetFetchRequestTopics(partition_indexes=(0,), **named)
                request = OffsetFetchRequest(groups=(OffsetFetchRequestGroup(group_id="g", topics=(new,)),))
                (group,) = (await broker.ask(request, version)).groups
                (topic,) = group.topics
            assert [(each.committed_offset, each.error_code) for each in topic.partitions] == [(5, 0)]

    run(main)


@versions(15)
def test_groups_are_described_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await coordinated(broker)
            await join(broker)
            (group,) = (await broker.ask(DescribeGroupsRequest(groups=("g",)), version)).groups
            assert (group.error_code, group.group_state, len(group.members)) == (0, "CompletingRebalance", 1)

    run(main)


@versions(16)
def test_groups_are_listed_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await coordinated(broker)
            await join(broker)
            (group,) = (await broker.ask(ListGroupsRequest(), version)).groups
            assert (group.group_id, group.protocol_type) == ("g", "consumer")

    run(main)


@versions(42)
def test_groups_are_deleted_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            await coordinated(broker)
            await commit(broker, "t")
            for expected in (0, ErrorCode.GROUP_ID_NOT_FOUND):
                (result,) = (await broker.ask(DeleteGroupsRequest(groups_names=("g",)), version)).results
                assert result.error_code == expected

    run(main)


def test_offsets_are_deleted() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            await coordinated(broker)
            await commit(broker, "t")
            assert await delete_offset(broker, "t") == (0, {"t": 0})
            assert await fetch(broker, "t") == {"t": (-1, 0)}

    run(main)


async def delete_offset(broker: MemoryBroker, *names: str) -> tuple[int, dict[str, int]]:
    partitions = (OffsetDeleteRequestPartition(partition_index=0),)
    topics = tuple(OffsetDeleteRequestTopic(name=name, partitions=partitions) for name in names)
    answer = await broker.ask(OffsetDeleteRequest(group_id="g", topics=topics), 0)
    return answer.error_code, {topic.name: topic.partitions[0].error_code for topic in answer.topics}


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        join_request(),
        HeartbeatRequest(group_id="g", generation_id=1, member_id="m"),
        SyncGroupRequest(group_id="g", generation_id=1, member_id="m", protocol_type="p", protocol_name="n"),
        LeaveGroupRequest(group_id="g", members=(MemberIdentity(member_id="m"),)),
    ],
    ids=lambda request: type(request).__name__,
)
def test_members_need_read_on_the_group(request_: Any) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await coordinated(broker)
            broker.authorizer = no_group(Operation.READ)
            version = by_key[type(request_).__schema__.api_key].versions[-1]
            assert (await broker.ask(request_, version)).error_code == GROUP

    run(main)


def test_commits_need_read_on_the_group_and_on_topics() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t", "u")
            await coordinated(broker)
            broker.authorizer = no_group(Operation.READ)
            assert await commit(broker, "t", "gone") == {"t": GROUP, "gone": GROUP}
            broker.authorizer = no_topic(Operation.READ)
            assert await commit(broker, "t", "u") == {"t": TOPIC, "u": 0}
            # What may not be read is not told to be missing.
            broker.authorizer = no_topic(Operation.READ, "gone")
            assert await commit(broker, "gone") == {"gone": TOPIC}

    run(main)


def test_fetching_offsets_needs_describe_on_the_group_and_on_topics() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t", "u")
            await coordinated(broker)
            await commit(broker, "t", "u")
            broker.authorizer = no_group(Operation.DESCRIBE)
            assert await fetch(broker, "t") == {"": (-1, GROUP)}
            assert await fetch(broker) == {"": (-1, GROUP)}
            broker.authorizer = no_topic(Operation.DESCRIBE)
            assert await fetch(broker, "t", "u") == {"t": (-1, TOPIC), "u": (5, 0)}
            assert await fetch(broker) == {"u": (5, 0)}, "of all topics those that may be seen"

    run(main)


def test_deleting_offsets_needs_delete_on_the_group_and_read_on_topics() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t", "u")
            await coordinated(broker)
            await commit(broker, "t", "u")
            broker.authorizer = no_group(Operation.DELETE)
            assert await delete_offset(broker, "t") == (GROUP, {})
            broker.authorizer = no_topic(Operation.READ)
            assert await delete_offset(broker, "t", "u") == (0, {"t": TOPIC, "u": 0})

    run(main)


def test_groups_that_may_not_be_seen() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            await coordinated(broker)
            for group_id in ("g", "h"):
                await broker.ask(commit_request("t", group_id=group_id), 9)
            cluster = (Operation.DESCRIBE, ResourceType.CLUSTER, "kafka-cluster")
            hidden = (Operation.DESCRIBE, ResourceType.GROUP, "g")

            broker.authorizer = Denied(cluster, hidden)
            assert [each.group_id for each in (await broker.ask(ListGroupsRequest(), 5)).groups] == ["h"]
            broker.authorizer = Denied(hidden)
            assert len((await broker.ask(ListGroupsRequest(), 5)).groups) == 2, "who may describe the cluster sees all"
            described = (await broker.ask(DescribeGroupsRequest(groups=("g", "h")), 5)).groups
            assert {each.group_id: each.error_code for each in described} == {"g": GROUP, "h": 0}

            broker.authorizer = no_group(Operation.DELETE)
            results = (await broker.ask(DeleteGroupsRequest(groups_names=("g", "h")), 2)).results
            assert {each.group_id: each.error_code for each in results} == {"g": GROUP, "h": 0}

    run(main)


def test_described_groups_tell_what_the_caller_may() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await coordinated(broker)
            await join(broker)
            broker.authorizer = no_group(Operation.DELETE)
            request = DescribeGroupsRequest(groups=("g",), include_authorized_operations=True)
            (group,) = (await broker.ask(request, 5)).groups
            assert group.authorized_operations & (1 << Operation.DELETE) == 0
            assert group.authorized_operations & (1 << Operation.READ) != 0

    run(main)


def test_finding_a_coordinator_needs_describe() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await coordinated(broker)
            broker.authorizer = Denied(
                (Operation.DESCRIBE, ResourceType.GROUP, "g"),
                (Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, "x"),
                (Operation.CLUSTER_ACTION, ResourceType.CLUSTER, "kafka-cluster"),
            )
            assert await find(broker, 0, "g", "h") == [GROUP, 0]
            refused = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            assert await find(broker, 1, "x", "y") == [refused, 0]
            assert await find(broker, 2, SHARE_KEY) == [ErrorCode.CLUSTER_AUTHORIZATION_FAILED]

    run(main)


async def find(broker: MemoryBroker, key_type: int, *keys: str) -> list[int]:
    answer = await broker.ask(FindCoordinatorRequest(key_type=key_type, coordinator_keys=keys), 6)
    assert [each.key for each in answer.coordinators] == list(keys)
    assert all((each.node_id == -1) == (each.error_code != 0) for each in answer.coordinators)
    return [each.error_code for each in answer.coordinators]


# --- where coordinators are -----------------------------------------------------------------------------------------


def test_nobody_coordinates_share_groups() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            assert await find(broker, 2, SHARE_KEY, f"{SHARE_KEY}x") == [ABSENT, ErrorCode.INVALID_REQUEST]
            assert "__share_group_state" not in broker.node.loader.image.topics.id_of

    run(main)


def test_a_topic_that_cannot_be_made() -> None:
    async def main() -> None:
        async with memory_broker(settings={"offsets.topic.replication.factor": "3"}) as broker:
            assert await find(broker, 0, "g") == [ABSENT]

    run(main)


def test_the_topic_is_made_once_though_many_ask() -> None:
    async def main() -> None:
        async with memory_broker(settings={"auto.create.topics.enable": "false"}) as broker:
            found: list[list[int]] = []

            async def one() -> None:
                found.append(await find(broker, 0, "g"))

            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(one)
            assert found == [[0]] * 20
            topic = broker.node.loader.image.topics.named("__consumer_offsets")
            assert topic is not None
            assert len(topic.partitions) == 50

    run(main)


def test_whoever_does_not_coordinate_says_so() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            gone = ErrorCode.NOT_COORDINATOR
            heartbeat = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")
            assert (await broker.ask(heartbeat, 4)).error_code == gone
            assert (await broker.ask(join_request(), 9)).error_code == gone
            assert await commit(broker, "t") == {"t": gone}
            assert await fetch(broker, "t") == {"": (-1, gone)}
            assert (await broker.ask(ListGroupsRequest(), 5)).groups == ()

            await coordinated(broker)
            assert await commit(broker, "t") == {"t": 0}
            await broker.ask(DeleteTopicsRequest(topic_names=("__consumer_offsets",), timeout_ms=1000), 5)
            assert (await broker.ask(heartbeat, 4)).error_code == gone
            await coordinated(broker)
            assert await fetch(broker, "t") == {"t": (-1, 0)}, "another topic of this name begins empty"

    run(main)


def test_whoever_loads_says_so() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            broker.plane.open = trio.Event()

            async def ask() -> None:
                with trio.move_on_after(3):
                    await broker.ask(FindCoordinatorRequest(coordinator_keys=("g",)), 4)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await trio.sleep(1)
                loading = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
                heartbeat = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")
                assert (await broker.ask(heartbeat, 4)).error_code == 0, "whose member may be alive"
                assert (await broker.ask(join_request(), 9)).error_code == loading
                assert await commit(broker, "t") == {"t": loading}
                assert (await broker.ask(ListGroupsRequest(), 5)).error_code == loading
                broker.plane.open.set()
            await trio.testing.wait_all_tasks_blocked()
            assert await commit(broker, "t") == {"t": 0}

    run(main)


def test_offsets_go_with_their_topic() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t", "u")
            await coordinated(broker)
            assert await commit(broker, "t", "u") == {"t": 0, "u": 0}
            await broker.ask(DeleteTopicsRequest(topic_names=("t",), timeout_ms=1000), 5)
            await create(broker, "t")
            await trio.sleep(1)
            assert await fetch(broker) == {"u": (5, 0)}

    run(main)
