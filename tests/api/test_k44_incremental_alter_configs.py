"""What the scripts of `tests/scripts/controller/alter_*.txt` do not say: who may, what is published, old versions."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation, Principal, Resource
from ottla.wire.k19_create_topics import CreatableTopic, CreateTopicsRequest
from ottla.wire.k32_describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from ottla.wire.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from tests.support.memory_broker import MemoryBroker, formatted_log, memory_broker

TOPIC, BROKER, LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND = 0, 1, 2


class AllBut:
    """Nobody may alter configs of these."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def allows(self, principal: Principal, host: str, operation: Operation, resource: Resource) -> bool:
        return operation is not Operation.ALTER_CONFIGS or resource.name not in self._names


def resource(kind: int, name: str, **values: str | None) -> AlterConfigsResource:
    configs = tuple(
        AlterableConfig(name=key.replace("_", "."), config_operation=DELETE if value is None else SET, value=value)
        for key, value in values.items()
    )
    return AlterConfigsResource(resource_type=kind, resource_name=name, configs=configs)


async def alter(
    broker: MemoryBroker, *resources: AlterConfigsResource, version: int = 1
) -> list[tuple[int, str | None]]:
    answer = await broker.ask(IncrementalAlterConfigsRequest(resources=resources), version)
    assert [(each.resource_type, each.resource_name) for each in answer.responses] == [
        (each.resource_type, each.resource_name) for each in resources
    ]
    return [(each.error_code, each.error_message) for each in answer.responses]


async def create(broker: MemoryBroker, name: str) -> None:
    topic = CreatableTopic(name=name, num_partitions=1, replication_factor=1)
    await broker.ask(CreateTopicsRequest(topics=(topic,)), 7)


async def value(broker: MemoryBroker, kind: int, name: str, key: str) -> str | None:
    asked = DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=(key,))
    answer = await broker.ask(DescribeConfigsRequest(resources=(asked,)), 4)
    (config,) = answer.results[0].configs
    return str(config.value)


@pytest.mark.parametrize("version", range(2))
def test_all_versions(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            assert await alter(broker, resource(GROUP, "g", consumer_session_timeout_ms="50000"), version=version) == [
                (0, None)
            ]
            assert await value(broker, GROUP, "g", "consumer.session.timeout.ms") == "50000"
            assert broker.broker.configs.group_overrides("g") == {"consumer.session.timeout.ms": "50000"}

    trio.run(main)


def test_who_may() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            broker.authorizer = AllBut("t", "g", "kafka-cluster")
            assert await alter(
                broker,
                resource(TOPIC, "t", retention_ms="x"),
                resource(GROUP, "g", consumer_session_timeout_ms="x"),
                resource(BROKER, "", log_retention_ms="5"),
                resource(BROKER, "", log_retention_minutes="x"),
                resource(LOGGER, "1", root="DEBUG"),
                resource(CLIENT_METRICS, "m", interval_ms="x"),
                resource(GROUP, "other", consumer_session_timeout_ms="50000"),
            ) == [
                (ErrorCode.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed."),
                (ErrorCode.GROUP_AUTHORIZATION_FAILED, "Group authorization failed."),
                (ErrorCode.INVALID_REQUEST, "Each resource must appear at most once."),
                (ErrorCode.INVALID_REQUEST, "Each resource must appear at most once."),
                (ErrorCode.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed."),
                (ErrorCode.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed."),
                (0, None),
            ]
            # Whether a broker can live with it is asked before who may.
            denied = (ErrorCode.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed.")
            assert await alter(broker, resource(BROKER, "1", log_retention_ms="5")) == [denied]
            ((code, _),) = await alter(broker, resource(BROKER, "1", broker_rack="x"))
            assert code == ErrorCode.INVALID_REQUEST

    trio.run(main)


def test_a_topics_log_is_told_at_once() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            await alter(broker, resource(TOPIC, "t", max_message_bytes="4242"))
            (view,) = broker.plane.deltas[-1].topics
            assert view.name == "t"
            assert view.settings is not None
            assert view.settings.max_message_bytes == 4242
            await alter(broker, resource(BROKER, "", message_max_bytes="5555"))
            (view,) = broker.plane.deltas[-1].topics
            assert view.settings is not None
            assert view.settings.max_message_bytes == 4242
            await alter(broker, resource(TOPIC, "t", max_message_bytes=None))
            (view,) = broker.plane.deltas[-1].topics
            assert view.settings is not None
            assert view.settings.max_message_bytes == 5555

    trio.run(main)


def test_it_is_answered_when_it_holds() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            broker.plane.open = trio.Event()
            answered = trio.Event()

            async def ask() -> None:
                assert await alter(broker, resource(TOPIC, "t", max_message_bytes="4242")) == [(0, None)]
                answered.set()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await trio.testing.wait_all_tasks_blocked()
                assert not answered.is_set()
                broker.plane.open.set()
            assert answered.is_set()

    trio.run(main)


def test_what_is_not_committed_in_time_says_so() -> None:
    async def main() -> None:
        log = await formatted_log()
        async with memory_broker(log) as broker:
            log.hold = True
            assert (
                await alter(
                    broker,
                    resource(GROUP, "", retention_ms="1"),
                    resource(GROUP, "g", consumer_session_timeout_ms="50000"),
                )
                == [(ErrorCode.REQUEST_TIMED_OUT, None)] * 2
            )

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_an_operation_that_nobody_knows() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            odd = AlterableConfig(name="k", config_operation=9, value="v")
            request = AlterConfigsResource(resource_type=GROUP, resource_name="g", configs=(odd,))
            ((code, message),) = await alter(broker, request)
            assert (code, message) == (
                ErrorCode.UNKNOWN_SERVER_ERROR,
                "Key k: there is no operation 9; 0 to 3 are known",
            )

    trio.run(main)


def test_too_long_a_value_is_refused() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            key = "leader.replication.throttled.replicas"

            async def append(words: str) -> Any:
                config = AlterableConfig(name=key, config_operation=APPEND, value=words)
                return await alter(
                    broker, AlterConfigsResource(resource_type=TOPIC, resource_name="t", configs=(config,))
                )

            assert await append(",".join(f"{i}:1" for i in range(4000))) == [(0, None)]
            ((code, message),) = await append(",".join(f"{i}:2" for i in range(4000)))
            assert (code, "exceeds the maximum value size of 32767 bytes" in str(message)) == (
                ErrorCode.INVALID_CONFIG,
                True,
            )

    trio.run(main)


def test_metrics_of_clients_are_refused_as_nobody_collects_them() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            ((code, message),) = await alter(broker, resource(CLIENT_METRICS, "m", interval_ms="5000"))
            assert (code, message) == (
                ErrorCode.INVALID_REQUEST,
                "This broker does not collect metrics of clients.",
            )

    trio.run(main)
