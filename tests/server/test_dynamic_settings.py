"""What a change of settings does to a broker that runs."""

from __future__ import annotations

from pathlib import Path

from ottla.cli.client import Client, parse_addresses
from ottla.cli.coordination.coordinator import Groups
from ottla.wire.k32_describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from ottla.wire.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.wire.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from tests.cli.serving import Serving

BROKER, GROUP = 4, 32


def alter(serving: Serving, kind: int, resource_name: str, **values: str) -> None:
    configs = tuple(
        AlterableConfig(name=name.replace("_", "."), config_operation=0, value=value) for name, value in values.items()
    )
    resource = AlterConfigsResource(resource_type=kind, resource_name=resource_name, configs=configs)
    with Client(parse_addresses(serving.bootstrap), "test", 20.0) as client:
        (result,) = client.request(IncrementalAlterConfigsRequest(resources=(resource,))).responses
    assert (result.error_code, result.error_message) == (0, None)


def described(serving: Serving, name: str) -> str:
    resource = DescribeConfigsResource(resource_type=BROKER, resource_name="1", configuration_keys=(name,))
    with Client(parse_addresses(serving.bootstrap), "test", 20.0) as client:
        (result,) = client.request(DescribeConfigsRequest(resources=(resource,))).results
    return str(result.configs[0].value)


def test_a_setting_that_nobody_reads_again_is_named(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with Serving(directory) as serving:
        alter(serving, BROKER, "1", log_retention_ms="700000", max_connections="77")
        ended = serving.end()
    assert ended.code == 0
    assert "a dynamic setting has no effect in this version" in ended.err
    assert "max.connections" in ended.err
    assert "log.retention.ms" not in ended.err
    with Serving(directory) as serving:
        assert described(serving, "log.retention.ms") == "700000"
        ended = serving.end()
    assert "max.connections" in ended.err


def heartbeat_interval_ms(serving: Serving, group: str, member: str) -> int:
    """What a member that has just joined is told."""
    request = ConsumerGroupHeartbeatRequest(
        group_id=group,
        member_id=member,
        member_epoch=0,
        rebalance_timeout_ms=60_000,
        subscribed_topic_names=("t",),
        topic_partitions=(),
    )
    with Client(parse_addresses(serving.bootstrap), "test", 20.0) as client:
        groups = Groups(client)
        response = groups.ask(group, request, lambda response: response.error_code)
    return int(response.heartbeat_interval_ms)


def test_members_are_told_what_their_group_has(tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as serving:
        alter(serving, GROUP, "slow", consumer_heartbeat_interval_ms="7000")
        assert heartbeat_interval_ms(serving, "slow", "a") == 7000
        assert heartbeat_interval_ms(serving, "usual", "a") == 5000
        alter(serving, GROUP, "slow", consumer_heartbeat_interval_ms="9000")
        assert heartbeat_interval_ms(serving, "slow", "b") == 9000
        assert serving.end().code == 0
