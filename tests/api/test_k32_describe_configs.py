from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from ottla.api.context import RequestContext
from ottla.api.k32_describe_configs import describe_configs
from ottla.config.load import EMBEDDED
from ottla.config.values import BrokerConfig
from ottla.errors import ErrorCode
from ottla.security.authorizer import ANONYMOUS, CLUSTER, AllowAll, Authorizer, Operation, Principal, Resource
from ottla.wire.codec import decode, encode
from ottla.wire.k32_describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)

TOPIC, BROKER, LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
_T = TypeVar("_T")


@dataclass
class _Configs:
    current: BrokerConfig = field(
        default_factory=lambda: BrokerConfig(dict(EMBEDDED), {"num.io.threads": "3"}, {"log.cleaner.threads": "2"})
    )
    topics: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: {"orders": {"retention.ms": "5"}})

    def topic_overrides(self, name: str) -> Mapping[str, str] | None:
        return self.topics.get(name)

    def group_overrides(self, name: str) -> Mapping[str, str]:
        return {}

    def client_metrics_overrides(self, name: str) -> Mapping[str, str]:
        return {}


@dataclass
class _Broker:
    node_id: int = 1
    configs: _Configs = field(default_factory=_Configs)


class _DenyAll:
    def allows(self, principal: Principal, host: str, operation: Operation, resource: Resource) -> bool:
        return False


class _AllowCluster:
    def allows(self, principal: Principal, host: str, operation: Operation, resource: Resource) -> bool:
        return operation is Operation.DESCRIBE_CONFIGS and resource == CLUSTER


def _context(authorizer: Authorizer) -> RequestContext:
    return RequestContext(
        api_key=32,
        api_version=4,
        client_id="test",
        listener="PLAINTEXT",
        principal=ANONYMOUS,
        host="127.0.0.1",
        connection_id=1,
        local_host="127.0.0.1",
        local_port=9092,
        arrived_ms=0,
        authorizer=authorizer,
    )


def _now(awaitable: Awaitable[_T]) -> _T:
    """The result of a coroutine that never waits."""
    steps = awaitable.__await__()
    with pytest.raises(StopIteration) as stopped:
        next(iter(steps))
    result: _T = stopped.value.value
    return result


def _ask(
    *resources: tuple[int, str],
    keys: tuple[str, ...] | None = None,
    synonyms: bool = False,
    documentation: bool = False,
    authorizer: Authorizer | None = None,
) -> tuple[DescribeConfigsResult, ...]:
    request = DescribeConfigsRequest(
        resources=tuple(
            DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=keys)
            for kind, name in resources
        ),
        include_synonyms=synonyms,
        include_documentation=documentation,
    )
    response = _now(describe_configs(request, _context(authorizer or AllowAll()), _Broker()))
    for version in range(1, 5):
        # Whatever is answered has bytes in every version.
        decode(DescribeConfigsResponse, version, encode(response, version))
    return response.results


def test_a_topic_with_what_it_sets_itself() -> None:
    (result,) = _ask((TOPIC, "orders"), keys=("retention.ms", "retention.bytes"), synonyms=True, documentation=True)
    assert (result.error_code, result.resource_type, result.resource_name) == (ErrorCode.NONE, TOPIC, "orders")
    size, age = result.configs
    assert (size.name, size.value, size.config_source, size.config_type) == ("retention.bytes", "-1", 5, 5)
    assert (age.value, age.config_source, age.read_only) == ("5", 1, False)
    assert [(synonym.name, synonym.value, synonym.source) for synonym in age.synonyms] == [("retention.ms", "5", 1)]
    assert age.documentation


def test_synonyms_and_documentation_only_when_asked_for() -> None:
    (result,) = _ask((TOPIC, "orders"))
    assert len(result.configs) == 37
    assert all(config.synonyms == () and config.documentation is None for config in result.configs)


def test_this_broker_and_the_cluster_default() -> None:
    own, default = _ask((BROKER, "1"), (BROKER, ""), keys=("num.io.threads", "log.cleaner.threads", "node.id"))
    assert {config.name: (config.value, config.config_source, config.read_only) for config in own.configs} == {
        "log.cleaner.threads": ("2", 2, False),
        "node.id": ("1", 4, True),
        "num.io.threads": ("3", 3, False),
    }
    assert [(config.name, config.value) for config in default.configs] == [("num.io.threads", "3")]


@pytest.mark.parametrize(
    ("resource", "code", "message"),
    [
        ((TOPIC, "nope"), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, None),
        (
            (TOPIC, ""),
            ErrorCode.INVALID_TOPIC_EXCEPTION,
            "Topic name is invalid: the empty string is not allowed",
        ),
        (
            (BROKER, "2"),
            ErrorCode.INVALID_REQUEST,
            "Unexpected broker id, expected 1 or empty string, but received 2",
        ),
        ((BROKER, "x"), ErrorCode.INVALID_REQUEST, "Broker id must be an integer, but it is: x"),
        ((LOGGER, ""), ErrorCode.INVALID_REQUEST, "Broker id must not be empty"),
        ((GROUP, ""), ErrorCode.INVALID_REQUEST, "Group name must not be empty"),
        ((CLIENT_METRICS, ""), ErrorCode.INVALID_REQUEST, "Client metrics subscription name must not be empty"),
        ((9, "x"), ErrorCode.INVALID_REQUEST, "Unexpected resource type 9 for resource x"),
    ],
)
def test_what_cannot_be_described(resource: tuple[int, str], code: ErrorCode, message: str | None) -> None:
    (result,) = _ask(resource)
    assert (result.error_code, result.error_message, result.configs) == (code, message, ())


def test_groups_and_subscriptions_need_not_exist() -> None:
    group, metrics, logger = _ask((GROUP, "g"), (CLIENT_METRICS, "m"), (LOGGER, "1"))
    assert len(group.configs) == 21
    assert [config.name for config in metrics.configs] == ["interval.ms", "match", "metrics"]
    assert (logger.error_code, logger.configs) == (ErrorCode.NONE, ())


def test_an_unexpected_type_fails_the_whole_request() -> None:
    assert {result.error_code for result in _ask((TOPIC, "orders"), (9, "x"))} == {ErrorCode.INVALID_REQUEST}


def test_who_may_not_is_told_so_by_resource() -> None:
    results = _ask((TOPIC, "orders"), (GROUP, "g"), (BROKER, "1"), authorizer=_DenyAll())
    assert [result.error_code for result in results] == [
        ErrorCode.TOPIC_AUTHORIZATION_FAILED,
        ErrorCode.GROUP_AUTHORIZATION_FAILED,
        ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
    ]


def test_what_is_refused_comes_last() -> None:
    results = _ask((TOPIC, "orders"), (BROKER, "1"), authorizer=_AllowCluster())
    assert [(result.resource_type, result.error_code) for result in results] == [
        (BROKER, ErrorCode.NONE),
        (TOPIC, ErrorCode.TOPIC_AUTHORIZATION_FAILED),
    ]
