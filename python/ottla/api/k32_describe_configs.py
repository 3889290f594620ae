"""DescribeConfigs (32): every key of a topic, broker, group or client-metrics subscription, and where it comes from.

v1 synonyms and sources (KIP-226) · v3 types and documentation (KIP-569) · v4 flexible.
Needs DescribeConfigs on the topic or group, for the rest on the cluster; resources that are refused come last. A broker
answers for itself and for the cluster default (empty name) only: clients send a broker's resource to that broker.
Prior art: Kafka's `ConfigHelper`. Ours has no loggers that could be set over the wire: that list is empty.
"""

from __future__ import annotations

import enum
from typing import Final, Protocol

from ottla.api.broker import ConfigSource
from ottla.api.context import RequestContext
from ottla.config.definition import ConfigError
from ottla.config.describe import (
    Entry,
    describe_broker,
    describe_broker_defaults,
    describe_client_metrics,
    describe_group,
    describe_topic,
)
from ottla.controller.names import invalid_name
from ottla.errors import ErrorCode
from ottla.security.authorizer import CLUSTER, Operation, Resource, ResourceType
from ottla.wire.k32_describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)

__all__ = ["ConfigResourceType", "DescribesConfigs", "describe_configs", "guarded", "refusal"]


class ConfigResourceType(enum.IntEnum):
    """`ConfigResource.Type`: the value is the number on the wire."""

    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


class DescribesConfigs(Protocol):
    """What the handler needs of the broker."""

    @property
    def node_id(self) -> int: ...

    @property
    def configs(self) -> ConfigSource: ...


class _Refused(Exception):
    def __init__(self, code: ErrorCode, message: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


_REFUSALS: Final = {
    ConfigResourceType.TOPIC: (ErrorCode.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed."),
    ConfigResourceType.GROUP: (ErrorCode.GROUP_AUTHORIZATION_FAILED, "Group authorization failed."),
}
_CLUSTER_REFUSAL: Final = (ErrorCode.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed.")


async def describe_configs(
    request: DescribeConfigsRequest, context: RequestContext, broker: DescribesConfigs
) -> DescribeConfigsResponse:
    for resource in request.resources:
        if resource.resource_type not in ConfigResourceType.__members__.values():
            message = f"Unexpected resource type {resource.resource_type} for resource {resource.resource_name}"
            return DescribeConfigsResponse(
                results=tuple(_failed(each, ErrorCode.INVALID_REQUEST, message) for each in request.resources)
            )
    allowed, refused = context.split(
        request.resources, Operation.DESCRIBE_CONFIGS, lambda resource: guarded(_type(resource), resource.resource_name)
    )
    results = [_described(resource, request, broker) for resource in allowed]
    results += (_failed(resource, *refusal(_type(resource))) for resource in refused)
    return DescribeConfigsResponse(results=tuple(results))


def _type(resource: DescribeConfigsResource) -> ConfigResourceType:
    return ConfigResourceType(resource.resource_type)


def refusal(kind: ConfigResourceType) -> tuple[ErrorCode, str]:
    """What is answered to those who may not."""
    return _REFUSALS.get(kind, _CLUSTER_REFUSAL)


def guarded(type_: ConfigResourceType, name: str) -> Resource:
    """The resource an authoriser is asked about."""
    kinds = {ConfigResourceType.TOPIC: ResourceType.TOPIC, ConfigResourceType.GROUP: ResourceType.GROUP}
    kind = kinds.get(type_)
    return CLUSTER if kind is None else Resource(kind, name)


def _described(
    resource: DescribeConfigsResource, request: DescribeConfigsRequest, broker: DescribesConfigs
) -> DescribeConfigsResult:
    try:
        entries = _entries(resource, broker)
    except _Refused as refused:
        return _failed(resource, refused.code, refused.message)
    except ConfigError as error:
        return _failed(resource, ErrorCode.INVALID_CONFIG, error.message)
    return DescribeConfigsResult(
        error_code=ErrorCode.NONE,
        error_message=None,
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
        configs=tuple(_result(entry, request) for entry in entries),
    )


def _entries(resource: DescribeConfigsResource, broker: DescribesConfigs) -> list[Entry]:
    name, keys, configs = resource.resource_name, resource.configuration_keys, broker.configs
    match _type(resource):
        case ConfigResourceType.TOPIC:
            if (reason := invalid_name(name)) is not None:
                raise _Refused(ErrorCode.INVALID_TOPIC_EXCEPTION, reason)
            if (overrides := configs.topic_overrides(name)) is None:
                raise _Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, None)
            return describe_topic(configs.current, overrides, keys)
        case ConfigResourceType.BROKER:
            if not name:
                return describe_broker_defaults(configs.current, keys)
            _require_own_id(name, broker.node_id, "or empty string, but received")
            return describe_broker(configs.current, keys)
        case ConfigResourceType.BROKER_LOGGER:
            _require_named(name, "Broker id must not be empty")
            _require_own_id(name, broker.node_id, "but received")
            return []
        case ConfigResourceType.CLIENT_METRICS:
            _require_named(name, "Client metrics subscription name must not be empty")
            return describe_client_metrics(configs.client_metrics_overrides(name), keys)
        case ConfigResourceType.GROUP:
            _require_named(name, "Group name must not be empty")
            return describe_group(configs.current, configs.group_overrides(name), keys)


def _require_named(name: str, otherwise: str) -> None:
    if not name:
        raise _Refused(ErrorCode.INVALID_REQUEST, otherwise)


def _require_own_id(name: str, node_id: int, words: str) -> None:
    if not name.removeprefix("-").isdecimal():
        raise _Refused(ErrorCode.INVALID_REQUEST, f"Broker id must be an integer, but it is: {name}")
    if name != str(node_id):
        raise _Refused(ErrorCode.INVALID_REQUEST, f"Unexpected broker id, expected {node_id} {words} {name}")


def _result(entry: Entry, request: DescribeConfigsRequest) -> DescribeConfigsResourceResult:
    synonyms = entry.synonyms if request.include_synonyms else ()
    return DescribeConfigsResourceResult(
        name=entry.name,
        value=entry.value,
        read_only=entry.read_only,
        config_source=entry.source,
        is_sensitive=entry.sensitive,
        synonyms=tuple(DescribeConfigsSynonym(name=s.name, value=s.value, source=s.source) for s in synonyms),
        config_type=entry.type,
        documentation=entry.documentation if request.include_documentation else None,
    )


def _failed(resource: DescribeConfigsResource, code: ErrorCode, message: str | None) -> DescribeConfigsResult:
    return DescribeConfigsResult(
        error_code=code,
        error_message=message,
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
        configs=(),
    )
