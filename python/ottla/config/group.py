"""The configuration of a group: the values that follow from what is set, and what may be set.

Prior art: Kafka's `GroupConfig` and `GroupConfigManager`. A pure function of a `BrokerConfig` and a group's overrides.
Invariant: what a group does not set is the broker's, as it is now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ottla.config import parse, registry
from ottla.config.definition import ConfigError, ConfigType, Required, Value
from ottla.config.values import BrokerConfig

__all__ = ["group_value", "group_values", "validate_group"]

_BETWEEN: Final = (
    "consumer.heartbeat.interval.ms",
    "consumer.session.timeout.ms",
    "consumer.assignment.interval.ms",
    "share.heartbeat.interval.ms",
    "share.session.timeout.ms",
    "share.record.lock.duration.ms",
    "share.delivery.count.limit",
    "share.partition.max.record.locks",
    "share.assignment.interval.ms",
    "streams.heartbeat.interval.ms",
    "streams.session.timeout.ms",
    "streams.assignment.interval.ms",
)
"""Held between `group.X.min.…` and `group.X.max.…` of the broker."""
_AT_MOST: Final = {
    "streams.num.standby.replicas": "group.streams.max.standby.replicas",
    "streams.num.warmup.replicas": "group.streams.max.warmup.replicas",
}
_AT_LEAST: Final = {"streams.task.offset.interval.ms": "group.streams.min.task.offset.interval.ms"}
_KINDS: Final = ("consumer", "share", "streams")
_TAGS: Final = "streams.rack.aware.assignment.tags"
_ASSIGNOR: Final = "streams.assignor.name"
_DEAD_LETTERS: Final = "errors.deadletterqueue.topic.name"


def group_value(config: BrokerConfig, overrides: Mapping[str, str], name: str) -> Value:
    """The typed value of a key of a group. Raises `ConfigError` for an override that cannot be read."""
    definition = registry.GROUP[name]
    if name in overrides:
        return parse.parse_value(definition, overrides[name])
    if (synonym := registry.GROUP_SYNONYMS.get(name)) is None:
        return None if isinstance(definition.default, Required) else definition.default
    value = config.value(synonym)
    # A group names one assignor of the broker's list: the first, unless it says so.
    return value[0] if isinstance(value, tuple) and definition.type is ConfigType.STRING else value


def group_values(config: BrokerConfig, overrides: Mapping[str, str]) -> dict[str, Value]:
    """The typed value of every key of a group; overrides that nobody knows are passed over. Raises `ConfigError`."""
    return {name: group_value(config, overrides, name) for name in registry.GROUP}


def validate_group(config: BrokerConfig, overrides: Mapping[str, str]) -> None:
    """May a group have these overrides? Raises `ConfigError` in Kafka's words (INVALID_CONFIG on the wire).

    Order of checks: unknown names, each value, the broker's limits, one value against another.
    """
    for name in overrides:
        if name not in registry.GROUP:
            raise ConfigError(f"Unknown group config name: {name}", name)
    values = group_values(config, overrides)
    tags = parse.parse_text(ConfigType.LIST, _TAGS, overrides.get(_TAGS, ""))
    if isinstance(tags, tuple) and len(set(tags)) < len(tags):
        raise ConfigError(f"{_TAGS} must not contain duplicate tag keys.", _TAGS)
    for name in _BETWEEN:
        if name in overrides:
            _require_between(config, name, _whole(values, name))
    for name, limit in _AT_MOST.items():
        if name in overrides and _whole(values, name) > config.integer(limit):
            raise ConfigError(f"{name} must be less than or equal to {config.integer(limit)}", name)
    for name, limit in _AT_LEAST.items():
        if name in overrides and _whole(values, name) < config.integer(limit):
            raise ConfigError(f"{name} must be greater than or equal to {config.integer(limit)}", name)
    for kind in _KINDS:
        session, heartbeat = f"{kind}.session.timeout.ms", f"{kind}.heartbeat.interval.ms"
        if (session in overrides or heartbeat in overrides) and _whole(values, session) <= _whole(values, heartbeat):
            raise ConfigError(f"{session} must be greater than {heartbeat}", session)
    if _ASSIGNOR in overrides and (assignor := str(values[_ASSIGNOR])) not in config.words("group.streams.assignors"):
        registered = ", ".join(config.words("group.streams.assignors"))
        raise ConfigError(
            f"{_ASSIGNOR} '{assignor}' is not a registered task assignor. Registered assignors are: [{registered}].",
            _ASSIGNOR,
        )
    if str(values[_DEAD_LETTERS]).startswith("__"):
        raise ConfigError(f"{_DEAD_LETTERS}: DLQ topic name must not start with '__'", _DEAD_LETTERS)


def _require_between(config: BrokerConfig, name: str, value: int) -> None:
    kind, rest = name.split(".", 1)
    least, most = config.integer(f"group.{kind}.min.{rest}"), config.integer(f"group.{kind}.max.{rest}")
    if not least <= value <= most:
        raise ConfigError(f"{name} must be in the range {least} to {most} inclusive.", name)


def _whole(values: Mapping[str, Value], name: str) -> int:
    value = values[name]
    assert isinstance(value, int), name
    return value
