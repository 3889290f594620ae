"""What a change of settings does to a broker that runs."""

from __future__ import annotations

from pathlib import Path

from ottla.cli.client import Client, parse_addresses
from ottla.wire.k32_describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from ottla.wire.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from tests.cli.serving import Serving

BROKER = 4


def alter(serving: Serving, **values: str) -> None:
    configs = tuple(
        AlterableConfig(name=name.replace("_", "."), config_operation=0, value=value) for name, value in values.items()
    )
    resource = AlterConfigsResource(resource_type=BROKER, resource_name="1", configs=configs)
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
        alter(serving, log_retention_ms="700000", max_connections="77")
        ended = serving.end()
    assert ended.code == 0
    assert "a dynamic setting has no effect in this version" in ended.err
    assert "max.connections" in ended.err
    assert "log.retention.ms" not in ended.err
    with Serving(directory) as serving:
        assert described(serving, "log.retention.ms") == "700000"
        ended = serving.end()
    assert "max.connections" in ended.err
