"""What a group may be configured with (``GroupConfig.validate``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ottla.config import parse, registry
from ottla.config.definition import ConfigError, Value
from ottla.config.values import BrokerConfig

__all__ = ["validate_group"]

_BOUNDED: Final = (
    "consumer.heartbeat.interval.ms",
    "consumer.session.timeout.ms",
    "consumer.assignment.interval.ms",
    "share.heartbeat.interval.ms",
    "share.session.timeout.ms",
    "share.assignment.interval.ms",
    "share.record.lock.duration.ms",
    "share.delivery.count.limit",
    "share.partition.max.record.locks",
    "streams.heartbeat.interval.ms",
    "streams.session.timeout.ms",
    "streams.assignment.interval.ms",
)
"""Each within what the broker allows: ``group.consumer.min.…`` and ``group.consumer.max.…`` and so on."""
_ORDERED: Final = ("consumer", "share", "streams")


def validate_group(config: BrokerConfig, overrides: Mapping[str, str]) -> None:
    """May a group have these? Raises `ConfigError` in Kafka's words (INVALID_CONFIG on the wire)."""
    for name in overrides:
        if name not in registry.GROUP:
            raise ConfigError(f"Unknown group config name: {name}", name)
    values: dict[str, Value] = {
        name: parse.parse_value(registry.GROUP[name], text) for name, text in overrides.items()
    }
    for name in _BOUNDED:
        value = values.get(name)
        if value is not None:
            _within(config, name, value)
    for kind in _ORDERED:
        session, heartbeat = f"{kind}.session.timeout.ms", f"{kind}.heartbeat.interval.ms"
        if session in values or heartbeat in values:
            longer = values.get(session, config.value(f"group.{session}"))
            shorter = values.get(heartbeat, config.value(f"group.{heartbeat}"))
            assert isinstance(longer, int)
            assert isinstance(shorter, int)
            if longer <= shorter:
                raise ConfigError(f"{session} must be greater than {heartbeat}", session)


def _within(config: BrokerConfig, name: str, value: Value) -> None:
    assert isinstance(value, int)
    kind, _, rest = name.partition(".")
    least, most = (f"group.{kind}.{bound}.{rest.removeprefix('max.')}" for bound in ("min", "max"))
    if least in registry.BROKER and value < config.integer(least):
        raise ConfigError(f"{name} must be greater than or equal to {least}", name)
    if most in registry.BROKER and value > config.integer(most):
        raise ConfigError(f"{name} must be less than or equal to {most}", name)
