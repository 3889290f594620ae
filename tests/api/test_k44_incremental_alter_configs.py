"""What the scripts of ``tests/scripts/controller/alter_configs.txt`` do not show: who may, and what is altered nowhere."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation, Principal, Resource, ResourceType
from ottla.wire.k19_create_topics import CreatableTopic, CreateTopicsRequest
from ottla.wire.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from tests.support.memory_broker import MemoryBroker, memory_broker

TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32


class Denied:
    """Everything is allowed but altering these."""

    def __init__(self, *denied: tuple[ResourceType, str]) -> None:
        self._denied = denied

    def allows(self, principal: Principal, host: str, operation: Operation, resource: Resource) -> bool:
        return operation is not Operation.ALTER_CONFIGS or (resource.type, resource.name) not in self._denied


def setting(kind: int, name: str, key: str, value: str) -> AlterConfigsResource:
    return AlterConfigsResource(
        resource_type=kind,
        resource_name=name,
        configs=(AlterableConfig(name=key, config_operation=0, value=value),),
    )


async def alter(broker: MemoryBroker, *resources: AlterConfigsResource) -> dict[str, int]:
    answer: Any = await broker.ask(IncrementalAlterConfigsRequest(resources=resources), 1)
    return {each.resource_name: each.error_code for each in answer.responses}


def test_each_kind_has_its_own_permission() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await broker.ask(
                CreateTopicsRequest(topics=(CreatableTopic(name="t", num_partitions=1, replication_factor=1),)), 7
            )
            broker.authorizer = Denied((ResourceType.TOPIC, "t"), (ResourceType.GROUP, "g"))
            changes = [
                setting(TOPIC, "t", "retention.ms", "1"),
                setting(GROUP, "g", "consumer.session.timeout.ms", "50000"),
                setting(GROUP, "h", "consumer.session.timeout.ms", "50000"),
            ]
            assert await alter(broker, *changes) == {
                "t": ErrorCode.TOPIC_AUTHORIZATION_FAILED,
                "g": ErrorCode.GROUP_AUTHORIZATION_FAILED,
                "h": 0,
            }
            image = broker.node.loader.image
            assert image.config(GROUP, "h") == {"consumer.session.timeout.ms": "50000"}
            assert not image.config(GROUP, "g")
            assert not image.config(TOPIC, "t")

    trio.run(main)


@pytest.mark.parametrize("kind", [BROKER, LOGGER, METRICS, 1])
def test_what_is_not_altered(kind: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            assert await alter(broker, setting(kind, "1", "num.io.threads", "4")) == {"1": ErrorCode.INVALID_REQUEST}

    trio.run(main)


def test_the_logs_hear_of_it() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await broker.ask(
                CreateTopicsRequest(topics=(CreatableTopic(name="t", num_partitions=1, replication_factor=1),)), 7
            )
            assert await alter(broker, setting(TOPIC, "t", "retention.ms", "12345")) == {"t": 0}
            topics = [topic for delta in broker.plane.deltas for topic in delta.topics]
            told = [topic.settings.retention_ms for topic in topics if topic.settings is not None]
            assert told == [604_800_000, 12_345]

    trio.run(main)
