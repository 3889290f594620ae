"""Handlers of the new group protocol: who may, every version, and what reaches groups from the metadata."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.wire.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.wire.k37_create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from ottla.wire.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.wire.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from ottla.wire.k69_consumer_group_describe import ConsumerGroupDescribeRequest
from tests.api.test_group_handlers import (
    GROUP,
    TOPIC,
    Denied,
    coordinated,
    create,
    join,
    no_group,
    no_topic,
    run,
    versions,
)
from tests.support.memory_broker import MemoryBroker, memory_broker


async def beat(broker: MemoryBroker, version: int = 1, **fields: Any) -> Any:
    words = {"group_id": "g", "member_id": "m", "member_epoch": 0, **fields}
    return await broker.ask(ConsumerGroupHeartbeatRequest(**words), version)


async def enter(broker: MemoryBroker, version: int = 1, **fields: Any) -> Any:
    words = {"rebalance_timeout_ms": 10_000, "subscribed_topic_names": ("t",), "topic_partitions": (), **fields}
    answer = await beat(broker, version, **words)
    assert answer.error_code == 0, answer
    return answer


async def describe(broker: MemoryBroker, *group_ids: str, version: int = 1, operations: bool = False) -> Any:
    request = ConsumerGroupDescribeRequest(group_ids=group_ids or ("g",), include_authorized_operations=operations)
    return (await broker.ask(request, version)).groups


@versions(68)
def test_a_member_enters_and_stays_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            await coordinated(broker)
            answer = await enter(broker, version)
            assert (answer.member_id, answer.member_epoch, answer.heartbeat_interval_ms) == ("m", 2, 5_000)
            assert [topic.partitions for topic in answer.assignment.topic_partitions] == [(0,)]
            again = await beat(broker, version, member_epoch=2)
            assert (again.member_epoch, again.assignment) == (2, None)
            assert (await beat(broker, version, member_epoch=-1)).member_epoch == -1

    run(main)


@versions(69)
def test_groups_are_described_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            await coordinated(broker)
            await enter(broker)
            group, none = await describe(broker, "g", "none", version=version, operations=True)
            assert (group.group_state, group.assignor_name, none.error_code) == (
                "Stable",
                "uniform",
                ErrorCode.GROUP_ID_NOT_FOUND,
            )
            (member,) = group.members
            assert (member.client_id, member.client_host) == ("test", "/127.0.0.1")
            assert [topic.topic_name for topic in member.assignment.topic_partitions] == ["t"]
            assert group.authorized_operations > 0

    run(main)


def test_entering_needs_read_on_the_group_and_describe_on_topics() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            await coordinated(broker)
            broker.authorizer = no_group(Operation.READ)
            assert (await beat(broker, subscribed_topic_names=("t",))).error_code == GROUP
            broker.authorizer = no_topic(Operation.DESCRIBE)
            assert (await beat(broker, subscribed_topic_names=("t",))).error_code == TOPIC

    run(main)


def test_an_expression_matches_what_the_member_may_see_when_topics_come() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "ta", "tb")
            await coordinated(broker)
            broker.authorizer = no_topic(Operation.DESCRIBE, "tb")
            await enter(broker, subscribed_topic_names=None, subscribed_topic_regex="t.*")
            await trio.sleep(2)
            assert len((await beat(broker, member_epoch=1)).assignment.topic_partitions) == 1
            broker.authorizer = Denied()
            await create(broker, "tc")
            await trio.sleep(11)
            await beat(broker, member_epoch=2)
            await trio.sleep(2)
            assert len((await beat(broker, member_epoch=2)).assignment.topic_partitions) == 3

    run(main)


def test_a_malformed_expression_is_refused() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await coordinated(broker)
            answer = await beat(
                broker,
                rebalance_timeout_ms=1,
                topic_partitions=(),
                subscribed_topic_regex="(",
                subscribed_topic_names=(),
            )
            assert answer.error_code == ErrorCode.INVALID_REGULAR_EXPRESSION
            assert "missing closing )" in answer.error_message

    run(main)


def test_subscriptions_follow_the_topics() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            await coordinated(broker)
            await enter(broker)
            grow = CreatePartitionsTopic(name="t", count=3, assignments=None)
            await broker.ask(CreatePartitionsRequest(topics=(grow,), timeout_ms=1_000), 3)
            await trio.sleep(2)
            answer = await beat(broker, member_epoch=2)
            assert [topic.partitions for topic in answer.assignment.topic_partitions] == [(0, 1, 2)]
            delete = DeleteTopicsRequest(topics=(DeleteTopicState(name="t"),), timeout_ms=1_000)
            await broker.ask(delete, 6)
            await trio.sleep(2)
            assert (await beat(broker, member_epoch=3, topic_partitions=())).assignment.topic_partitions == ()

    run(main)


def test_a_group_has_configs_of_its_own() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            await coordinated(broker)
            await enter(broker)
            config = AlterableConfig(name="consumer.heartbeat.interval.ms", config_operation=0, value="7000")
            resource = AlterConfigsResource(resource_type=32, resource_name="g", configs=(config,))
            answer = await broker.ask(IncrementalAlterConfigsRequest(resources=(resource,)), 1)
            assert answer.responses[0].error_code == 0
            assert (await beat(broker, member_epoch=2)).heartbeat_interval_ms == 7_000
            assert (await enter(broker, group_id="other")).heartbeat_interval_ms == 5_000

    run(main)


@pytest.mark.parametrize("api", ["heartbeat", "describe"])
def test_groups_that_may_not_be_seen(api: str) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            await coordinated(broker)
            await enter(broker)
            if api == "describe":
                broker.authorizer = no_group(Operation.DESCRIBE)
                assert [group.error_code for group in await describe(broker)] == [GROUP]
                broker.authorizer = no_topic(Operation.DESCRIBE)
                (group,) = await describe(broker)
                assert (group.error_code, group.members) == (TOPIC, ())
            else:
                broker.authorizer = no_group(Operation.READ)
                assert (await beat(broker, member_epoch=-1)).error_code == GROUP

    run(main)


def test_a_classic_group_becomes_one_of_consumers_under_its_members() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            await coordinated(broker)
            await join(broker)
            answer = await beat(broker, rebalance_timeout_ms=1, topic_partitions=(), subscribed_topic_names=("t",))
            # Its subscription is none.
            assert answer.error_code == ErrorCode.GROUP_ID_NOT_FOUND

    run(main)
