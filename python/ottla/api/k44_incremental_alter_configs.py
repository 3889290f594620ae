"""IncrementalAlterConfigs (44), v0-1: set, delete, append to and subtract from single keys of topics and groups.

v1 flexible. Needs AlterConfigs on the topic, the group, or for the rest on the cluster.
Checked in Kafka's order: a resource twice, a key twice, a null value, an unknown operation, a kind that is not altered
(INVALID_REQUEST); permissions; then what the controller says. Brokers' own configurations are not altered while they
run: INVALID_REQUEST, where Kafka would.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.waiting import within
from ottla.controller.alter import RESOURCE_GROUP, Alteration, Operation, Resource
from ottla.controller.decision import ApiError, Refused
from ottla.errors import ErrorCode
from ottla.metadata.image import RESOURCE_TOPIC
from ottla.security.authorizer import CLUSTER, ResourceType
from ottla.security.authorizer import Operation as Permission
from ottla.security.authorizer import Resource as Guarded
from ottla.wire.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

__all__ = ["incremental_alter_configs"]

TIMEOUT_MS: Final = 60_000
"""The request has none of its own; clients give up before."""
KINDS: Final = {2: "TOPIC", 4: "BROKER", 8: "BROKER_LOGGER", 16: "CLIENT_METRICS", 32: "GROUP"}
ALTERED: Final = frozenset((RESOURCE_TOPIC, RESOURCE_GROUP))

_REFUSALS: Final = {
    RESOURCE_TOPIC: ApiError(ErrorCode.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed."),
    RESOURCE_GROUP: ApiError(ErrorCode.GROUP_AUTHORIZATION_FAILED, "Group authorization failed."),
}
_CLUSTER_REFUSAL: Final = ApiError(ErrorCode.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed.")


async def incremental_alter_configs(
    request: IncrementalAlterConfigsRequest, context: RequestContext, broker: Broker
) -> IncrementalAlterConfigsResponse:
    """See the module."""
    counted = Counter(Resource(each.resource_type, each.resource_name) for each in request.resources)
    results: dict[Resource, ApiError] = {}
    wanted: list[tuple[Resource, list[Alteration]]] = []
    for each in request.resources:
        resource = Resource(each.resource_type, each.resource_name)
        problem = _problem(each, counted[resource]) or _refusal(resource, context)
        if problem is not None:
            results[resource] = problem
        else:
            wanted.append((resource, [_alteration(config) for config in each.configs]))
    if wanted:
        try:
            answers = await within(
                TIMEOUT_MS,
                lambda: broker.controller.alter_configs(wanted, validate_only=request.validate_only),
                broker.metadata,
            )
        except Refused as refused:
            answers = (refused.error,) * len(wanted)
        results.update((resource, answer) for (resource, _), answer in zip(wanted, answers, strict=True))
    return IncrementalAlterConfigsResponse(
        responses=tuple(
            AlterConfigsResourceResponse(
                error_code=result.code,
                error_message=result.message,
                resource_type=resource.type,
                resource_name=resource.name,
            )
            for resource, result in results.items()
        )
    )


def _alteration(config: AlterableConfig) -> Alteration:
    return Alteration(config.name, Operation(config.config_operation), config.value or "")


def _problem(resource: AlterConfigsResource, times: int) -> ApiError | None:
    """What is wrong with the request, whoever asks."""
    if times > 1:
        return _bad("Each resource must appear at most once.")
    names = [config.name for config in resource.configs]
    if len(set(names)) != len(names):
        return _bad("Error due to duplicate config keys")
    nulls = [
        config.name
        for config in resource.configs
        if config.value is None and config.config_operation != Operation.DELETE
    ]
    if nulls:
        return _bad(f"Null value not supported for : {', '.join(nulls)}")
    for config in resource.configs:
        if config.config_operation not in Operation.__members__.values():
            return _bad(f"Unknown operation type {config.config_operation}")
    if resource.resource_type not in KINDS:
        return _bad(f"Unknown resource type {resource.resource_type}")
    if resource.resource_type not in ALTERED:
        return _bad(
            f"Configurations of type {KINDS[resource.resource_type]} cannot be altered here while the broker runs; "
            "set them where it is started"
        )
    return None


def _bad(message: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_REQUEST, message)


def _refusal(resource: Resource, context: RequestContext) -> ApiError | None:
    kinds = {RESOURCE_TOPIC: ResourceType.TOPIC, RESOURCE_GROUP: ResourceType.GROUP}
    kind = kinds.get(resource.type)
    guarded = CLUSTER if kind is None else Guarded(kind, resource.name)
    if context.authorize(Permission.ALTER_CONFIGS, guarded):
        return None
    return _REFUSALS.get(resource.type, _CLUSTER_REFUSAL)
