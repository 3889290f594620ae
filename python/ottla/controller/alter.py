"""Altering configurations: what a resource has now, changed key by key, and whether it may be so.

Prior art: Kafka's ``ConfigurationControlManager`` with its ``ControllerConfigurationValidator``. Ours are functions of
an image; what a request may not say whoever asks (duplicates, permissions) is decided in ``ottla.api``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from ottla.controller.decision import RECORDS_PER_USER_OPERATION_MAX, ApiError, Decision, Refused
from ottla.controller.names import invalid_name
from ottla.errors import ErrorCode
from ottla.metadata.image import RESOURCE_TOPIC, Image
from ottla.records.cluster_metadata import ConfigRecord

__all__ = ["RESOURCE_GROUP", "Alteration", "ConfigRules", "Operation", "Resource", "alter_configs"]

RESOURCE_GROUP: Final = 32


class Operation(enum.IntEnum):
    """``AlterConfigOp.OpType``"""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class Resource(NamedTuple):
    """Whose configuration."""

    type: int
    """``ConfigResource.Type``"""
    name: str


class Alteration(NamedTuple):
    """One key."""

    name: str
    operation: Operation
    value: str
    """Of no meaning where the key is deleted."""


class ConfigRules(Protocol):
    """Configurations as one broker understands them."""

    def list_default(self, resource_type: int, name: str) -> Sequence[str] | None:
        """Kafka's own default of a key that is a list; None for any other."""

    def refuse_altered(
        self, image: Image, resource_type: int, overrides: Mapping[str, str], existing: Mapping[str, str]
    ) -> str | None:
        """Why a resource that has ``existing`` may not have ``overrides``, in Kafka's words; None when it may."""


def alter_configs(
    image: Image,
    wanted: Sequence[tuple[Resource, Sequence[Alteration]]],
    rules: ConfigRules,
    *,
    validate_only: bool,
) -> Decision[tuple[ApiError, ...]]:
    """Records for all resources that may be altered so, results for all, in order. Raises Refused when there are too
    many."""
    records: list[object] = []
    results: list[ApiError] = []
    for resource, alterations in wanted:
        try:
            altered = _altered(image, resource, alterations, rules)
        except Refused as refused:
            results.append(refused.error)
        else:
            records += altered
            results.append(ApiError(ErrorCode.NONE))
    if len(records) > RECORDS_PER_USER_OPERATION_MAX:
        raise Refused(ErrorCode.POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
    return Decision(() if validate_only else records, tuple(results))


def _altered(
    image: Image, resource: Resource, alterations: Sequence[Alteration], rules: ConfigRules
) -> list[ConfigRecord]:
    existing = image.config(*resource)
    overrides = dict(existing)
    for name, operation, value in alterations:
        match operation:
            case Operation.SET:
                overrides[name] = value
            case Operation.DELETE:
                overrides.pop(name, None)
            case Operation.APPEND | Operation.SUBTRACT:
                overrides[name] = _listed(resource, Alteration(name, operation, value), overrides.get(name), rules)
    _require_valid(image, resource, overrides, existing, rules)
    changed = [name for name, _, _ in alterations if overrides.get(name) != existing.get(name)]
    return [
        ConfigRecord(resource_type=resource.type, resource_name=resource.name, name=name, value=overrides.get(name))
        for name in changed
    ]


def _listed(resource: Resource, alteration: Alteration, current: str | None, rules: ConfigRules) -> str:
    name, operation, value = alteration
    default = rules.list_default(resource.type, name)
    if default is None:
        raise Refused(
            ErrorCode.INVALID_CONFIG, f"Can't {operation.name} to key {name} because its type is not LIST."
        )
    before = default if current is None else [word for word in current.split(",") if word]
    words = value.split(",")
    if operation is Operation.APPEND:
        return ",".join(dict.fromkeys((*before, *words)))
    return ",".join(word for word in before if word not in words)


def _require_valid(
    image: Image, resource: Resource, overrides: Mapping[str, str], existing: Mapping[str, str], rules: ConfigRules
) -> None:
    if resource.type == RESOURCE_TOPIC:
        if (reason := invalid_name(resource.name)) is not None:
            raise Refused(ErrorCode.INVALID_TOPIC_EXCEPTION, reason)
        if image.topics.named(resource.name) is None:
            raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{resource.name}' does not exist.")
    elif not resource.name:
        raise Refused(ErrorCode.INVALID_REQUEST, "Default group resources are not allowed.")
    problem = rules.refuse_altered(image, resource.type, overrides, existing)
    if problem is not None:
        raise Refused(ErrorCode.INVALID_CONFIG, problem)
