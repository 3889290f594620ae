"""IncrementalAlterConfigs (44), v0-1: set, delete, append to or subtract from configurations; answer when they hold.

Needs AlterConfigs on the topic or group, for the rest on the cluster. Per resource, in Kafka's order: duplicates, keys
that are named twice, nulls; for a broker whether it can live with the result, which it says itself; then rights; the
rest is decided by ``controller.alterations``. Clients send a broker's resource to that broker.
Prior art: Kafka's ``ConfigAdminManager``. Ours has no loggers that could be set over the wire, and does not collect
metrics of clients yet: those resources are refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from ottla.api.broker import ConfigSource, MetadataCache
from ottla.api.context import RequestContext
from ottla.api.k32_describe_configs import ConfigResourceType, guarded, refusal
from ottla.api.waiting import within
from ottla.config import registry
from ottla.config.definition import ConfigError, ConfigType
from ottla.config.dynamic import validate_layer
from ottla.controller.alterations import Alteration, Change, Operation, altered
from ottla.controller.client import Controller
from ottla.controller.decision import ApiError, Refused
from ottla.errors import ErrorCode
from ottla.metadata.image import RESOURCE_BROKER
from ottla.security.authorizer import Operation as Right
from ottla.wire.k44_incremental_alter_configs import (
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

__all__ = ["AltersConfigs", "incremental_alter_configs"]

TIMEOUT_MS: Final = 30_000
"""The request has none of its own; Kafka's broker gives its controller ``request.timeout.ms``."""


class AltersConfigs(Protocol):
    """What the handler needs of the broker."""

    @property
    def node_id(self) -> int: ...

    @property
    def configs(self) -> ConfigSource: ...

    @property
    def controller(self) -> Controller: ...

    @property
    def metadata(self) -> MetadataCache: ...


async def incremental_alter_configs(
    request: IncrementalAlterConfigsRequest, context: RequestContext, broker: AltersConfigs
) -> IncrementalAlterConfigsResponse:
    """See the module."""
    times = Counter((resource.resource_type, resource.resource_name) for resource in request.resources)
    results: list[ApiError | None] = []
    wanted: dict[int, Alteration] = {}
    for index, resource in enumerate(request.resources):
        try:
            if times[resource.resource_type, resource.resource_name] > 1:
                raise Refused(ErrorCode.INVALID_REQUEST, "Each resource must appear at most once.")
            wanted[index] = _wanted(resource, context, broker)
            results.append(None)
        except Refused as refused:
            results.append(refused.error)
    if wanted:
        decided = await _decided([*wanted.values()], request, broker)
        for index, error in zip(wanted, decided, strict=True):
            results[index] = error
    return IncrementalAlterConfigsResponse(responses=tuple(map(_result, request.resources, results)))


async def _decided(
    wanted: Sequence[Alteration], request: IncrementalAlterConfigsRequest, broker: AltersConfigs
) -> Sequence[ApiError | None]:
    try:
        return await within(
            TIMEOUT_MS,
            lambda: broker.controller.alter_configs(wanted, validate_only=request.validate_only),
            broker.metadata,
        )
    except Refused as refused:
        return [refused.error] * len(wanted)


def _wanted(resource: AlterConfigsResource, context: RequestContext, broker: AltersConfigs) -> Alteration:
    """What the controller is asked for. Raises Refused."""
    names = Counter(config.name for config in resource.configs)
    if len(names) < len(resource.configs):
        raise Refused(ErrorCode.INVALID_REQUEST, "Error due to duplicate config keys")
    nulls = [
        config.name
        for config in resource.configs
        if config.value is None and config.config_operation != Operation.DELETE
    ]
    if nulls:
        raise Refused(ErrorCode.INVALID_REQUEST, f"Null value not supported for : {', '.join(nulls)}")
    if resource.resource_type not in ConfigResourceType.__members__.values():
        raise Refused(ErrorCode.INVALID_REQUEST, f"Unknown resource type {resource.resource_type}")
    kind = ConfigResourceType(resource.resource_type)
    changes = [_change(config.name, config.config_operation, config.value) for config in resource.configs]
    if kind is ConfigResourceType.BROKER:
        _check_broker(resource.resource_name, changes, broker)
    if not context.authorize(Right.ALTER_CONFIGS, guarded(kind, resource.resource_name)):
        raise Refused(*refusal(kind))
    if kind is ConfigResourceType.BROKER_LOGGER:
        raise _logger_refused(resource.resource_name, changes, broker.node_id)
    if kind is ConfigResourceType.CLIENT_METRICS:
        raise Refused(ErrorCode.INVALID_REQUEST, "This broker does not collect metrics of clients.")
    return Alteration(resource.resource_type, resource.resource_name, changes)


def _change(name: str, operation: int, value: str | None) -> Change:
    try:
        return Change(name, Operation(operation), value)
    except ValueError:
        # Kafka fails here without a word.
        raise Refused(
            ErrorCode.UNKNOWN_SERVER_ERROR, f"Key {name}: there is no operation {operation}; 0 to 3 are known"
        ) from None


def _check_broker(name: str, changes: Sequence[Change], broker: AltersConfigs) -> None:
    """Can this broker live with what it would have? ``name`` is its own id, or nothing for all brokers."""
    current = broker.configs.current
    layer: Mapping[str, str] = current.cluster_dynamic
    if name:
        if _whole(name) != broker.node_id:
            raise Refused(
                ErrorCode.INVALID_REQUEST, f"Unexpected broker id, expected {broker.node_id}, but received {name}"
            )
        layer = current.broker_dynamic
    after = dict(layer)
    for change in changes:
        if change.operation in (Operation.APPEND, Operation.SUBTRACT):
            definition = registry.broker_definition(change.name)
            if definition is None:
                raise Refused(ErrorCode.INVALID_CONFIG, f"Unknown config name: {change.name}")
            if definition.type is not ConfigType.LIST:
                what = f"Config value {change.operation.name.lower()} is not allowed for config key: {change.name}"
                raise Refused(ErrorCode.INVALID_CONFIG, what)
        value = altered(RESOURCE_BROKER, change, after.get(change.name))
        if value is None:
            after.pop(change.name, None)
        else:
            after[change.name] = value
    try:
        validate_layer(current, after, per_broker=bool(name))
    except ConfigError as error:
        raise Refused(ErrorCode.INVALID_REQUEST, error.message) from None


def _whole(name: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,10}", name):
        raise Refused(ErrorCode.INVALID_REQUEST, f"Node id must be an integer, but it is: {name}")
    return int(name)


def _logger_refused(name: str, changes: Sequence[Change], node_id: int) -> Refused:
    """There are no loggers, so none can be altered."""
    if _whole(name) != node_id:
        what = f"Unexpected node id. Expected {node_id}, but received {name}"
        return Refused(ErrorCode.INVALID_REQUEST, what)
    for change in changes:
        if change.operation in (Operation.APPEND, Operation.SUBTRACT):
            what = f"{change.operation.name} operation is not allowed for the BROKER_LOGGER resource"
            return Refused(ErrorCode.INVALID_REQUEST, what)
        return Refused(ErrorCode.INVALID_CONFIG, f"Logger {change.name} does not exist!")
    return Refused(ErrorCode.INVALID_REQUEST, "This broker has no loggers that could be altered.")


def _result(resource: AlterConfigsResource, error: ApiError | None) -> AlterConfigsResourceResponse:
    return AlterConfigsResourceResponse(
        error_code=ErrorCode.NONE if error is None else error.code,
        error_message=None if error is None else error.message,
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )
