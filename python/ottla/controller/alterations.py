"""Altering configurations of topics, brokers and groups: every check in Kafka's order, with Kafka's words.

Prior art: Kafka's ``ConfigurationControlManager.incrementalAlterConfigs``. Ours is a function of an image: it emits
records and changes nothing. Whether a broker can live with its own settings is for that broker to say: ``ottla.api``.

Invariants: a resource gets all of its changes or none; what it has afterwards was checked as a whole. A setting of a
broker is written even when it stays as it is, so that whoever reads it does so again (KAFKA-14136).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, final

from ottla.config import parse, registry
from ottla.config.definition import ConfigType, Required
from ottla.controller.configs import MIN_IN_SYNC_REPLICAS, TopicConfigs
from ottla.controller.decision import RECORDS_PER_USER_OPERATION_MAX, ApiError, Decision, Refused
from ottla.controller.names import invalid_name
from ottla.errors import ErrorCode
from ottla.metadata.image import RESOURCE_BROKER, RESOURCE_GROUP, RESOURCE_TOPIC, Image
from ottla.records.cluster_metadata import ClearElrRecord, ConfigRecord

__all__ = ["Alteration", "Change", "Operation", "alter_configs", "altered"]

VALUE_CHARS_MAX: Final = 32_767
"""A string of Kafka's record is no longer."""
_ELR: Final = "eligible.leader.replicas.version"


class Operation(enum.IntEnum):
    """``AlterConfigOp.OpType``: the value is the number on the wire."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


@final
class Change(NamedTuple):
    """Of one key."""

    name: str
    operation: Operation
    value: str | None
    """Nothing for DELETE alone."""


@final
class Alteration(NamedTuple):
    """Of one resource."""

    resource_type: int
    """Of a topic, a broker or a group."""
    resource_name: str
    """Of a broker, nothing is the default of the cluster."""
    changes: Sequence[Change]
    """Each key once."""


def alter_configs(
    image: Image, wanted: Sequence[Alteration], configs: TopicConfigs, *, validate_only: bool
) -> Decision[tuple[ApiError | None, ...]]:
    """Records for all resources that can be altered; of the others what is wrong, in order, each resource once.

    Raises Refused when the request as a whole is too large.
    """
    records: list[object] = []
    results: list[ApiError | None] = []
    for alteration in wanted:
        try:
            records += _alter(image, alteration, configs)
        except Refused as refused:
            results.append(refused.error)
        else:
            results.append(None)
        if len(records) > RECORDS_PER_USER_OPERATION_MAX:
            raise Refused(ErrorCode.POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
    return Decision([] if validate_only else records, tuple(results))


def _alter(image: Image, alteration: Alteration, configs: TopicConfigs) -> list[object]:
    kind, name = alteration.resource_type, alteration.resource_name
    before = image.config(kind, name)
    after = dict(before)
    records: list[ConfigRecord] = []
    for change in alteration.changes:
        value = altered(kind, change, before.get(change.name))
        if value is None:
            after.pop(change.name, None)
        else:
            after[change.name] = value
        if value != before.get(change.name) or kind == RESOURCE_BROKER:
            records.append(ConfigRecord(resource_type=kind, resource_name=name, name=change.name, value=value))
    min_isr = [record for record in records if record.name == MIN_IN_SYNC_REPLICAS]
    with_elr = bool(min_isr) and image.features.get(_ELR, 0) >= 1
    if with_elr and kind == RESOURCE_BROKER:
        _refuse_min_isr(name, min_isr[0].value)
    _check(image, alteration, before, after, configs)
    # Who was eligible under another minimum is not any more.
    return [*records, ClearElrRecord(topic_name=name)] if with_elr else [*records]


def altered(kind: int, change: Change, value: str | None) -> str | None:
    """What the key has after the change, having had ``value``. Raises Refused."""
    if change.operation is Operation.DELETE or change.value is None:
        return None
    if change.operation is Operation.SET:
        result = change.value
    else:
        parts = _parts(kind, change, value)
        for word in _split(change.value):
            if change.operation is Operation.APPEND and word not in parts:
                parts.append(word)
            elif change.operation is Operation.SUBTRACT and word in parts:
                parts.remove(word)
        result = ",".join(parts)
    if len(result) > VALUE_CHARS_MAX:
        raise Refused(
            ErrorCode.INVALID_CONFIG,
            "The configuration value cannot be added because it exceeds the maximum value size of "
            f"{VALUE_CHARS_MAX} bytes.",
        )
    return result


def _parts(kind: int, change: Change, value: str | None) -> list[str]:
    """The words of a list, of its default where it is not set. Kafka's schema has lists of topics and brokers alone."""
    definition = None
    if kind == RESOURCE_TOPIC:
        definition = registry.TOPIC.get(change.name)
    elif kind == RESOURCE_BROKER:
        definition = registry.broker_definition(change.name)
    if definition is None or definition.type is not ConfigType.LIST:
        raise Refused(
            ErrorCode.INVALID_CONFIG,
            f"Can't {change.operation.name} to key {change.name} because its type is not LIST.",
        )
    if value is None and not isinstance(definition.default, Required):
        value = parse.value_to_text(definition.type, definition.default)
    return [part for part in (value or "").split(",") if part]


def _split(text: str) -> list[str]:
    """As Java splits: empty words at the end are none, unless there is nothing else."""
    words = text.split(",")
    while len(words) > 1 and not words[-1]:
        words.pop()
    return words if text.strip(",") or not text else []


def _refuse_min_isr(broker: str, value: str | None) -> None:
    """With ELR it is a matter of topics and of the whole cluster (KIP-966)."""
    if broker:
        what = f"Broker-level {MIN_IN_SYNC_REPLICAS} cannot be altered while ELR is enabled."
        raise Refused(ErrorCode.INVALID_CONFIG, what)
    if value is None:
        what = f"Cluster-level {MIN_IN_SYNC_REPLICAS} cannot be removed while ELR is enabled."
        raise Refused(ErrorCode.INVALID_CONFIG, what)


def _check(
    image: Image, alteration: Alteration, before: Mapping[str, str], after: Mapping[str, str], configs: TopicConfigs
) -> None:
    """May the resource have these? Values come first, then whether there is such a resource."""
    name, reason = alteration.resource_name, None
    if alteration.resource_type == RESOURCE_TOPIC:
        if not name:
            raise Refused(ErrorCode.INVALID_REQUEST, "Default topic resources are not allowed.")
        if (bad := invalid_name(name)) is not None:
            raise Refused(ErrorCode.INVALID_TOPIC_EXCEPTION, bad)
        reason = configs.refuse_topic(image, after, before)
    elif alteration.resource_type == RESOURCE_GROUP:
        if not name:
            raise Refused(ErrorCode.INVALID_REQUEST, "Default group resources are not allowed.")
        reason = configs.refuse_group(image, after)
    if reason is not None:
        raise Refused(ErrorCode.INVALID_CONFIG, reason)
    if alteration.resource_type == RESOURCE_TOPIC and image.topics.named(name) is None:
        raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{name}' does not exist.")
