"""The checks a typed value passes, with the words Kafka refuses it in (`ConfigDef.Range`, `ValidString`, `ValidList`).

A check is a function of (key, value) that raises `ConfigError`; it never changes the value. A null is judged by the
check alone, as in Kafka: most ranges refuse it, a default that is null is never checked.
"""

from __future__ import annotations

import re
from typing import Final

from ottla.config.definition import Check, ConfigError, Value, invalid_value
from ottla.config.doubles import java_double


def at_least(least: int) -> Check:
    return between(least, None)


def between(least: int, most: float | None) -> Check:
    """Both ends belong to it."""

    def check(name: str, value: Value) -> None:
        if not isinstance(value, int | float):
            raise invalid_value(name, "null", "Value must be non-null")
        if value < least:
            raise invalid_value(name, _shown(value), f"Value must be at least {least}")
        if most is not None and value > most:
            raise invalid_value(name, _shown(value), f"Value must be no more than {most}")

    return check


def one_of(*allowed: str) -> Check:
    words = ", ".join(allowed)

    def check(name: str, value: Value) -> None:
        if value not in allowed:
            raise invalid_value(name, _shown(value), f"String must be one of: {words}")

    return check


def one_of_ignoring_case(*allowed: str) -> Check:
    words = ", ".join(allowed)

    def check(name: str, value: Value) -> None:
        if not isinstance(value, str) or value.upper() not in allowed:
            raise invalid_value(name, _shown(value), f"String must be one of (case insensitive): {words}")

    return check


def not_empty(name: str, value: Value) -> None:
    """A null passes; an empty string does not."""
    if value == "":
        raise invalid_value(name, "", "String must be non-empty")


def not_null(name: str, value: Value) -> None:
    if value is None:
        raise invalid_value(name, "null", "entry must be non null")


def any_list(name: str, value: Value) -> None:
    """A list, maybe empty, of words that are not."""
    if isinstance(value, tuple) and "" in value:
        raise ConfigError(f"Configuration '{name}' values must not be empty.", name)


def filled_list(name: str, value: Value) -> None:
    """A list of at least one word; a null passes, so that a key may be unset."""
    if value == ():
        raise ConfigError(f"Configuration '{name}' must not be empty. Valid values include: any non-empty value", name)
    any_list(name, value)


def list_of(*allowed: str, empty: bool = True) -> Check:
    words = ", ".join(allowed)

    def check(name: str, value: Value) -> None:
        members = value if isinstance(value, tuple) else ()
        if not members and not empty:
            raise ConfigError(f"Configuration '{name}' must not be empty. Valid values include: [{words}]", name)
        for member in members:
            if not member:
                raise ConfigError(f"Configuration '{name}' values must not be empty.", name)
            if member not in allowed:
                raise invalid_value(name, member, f"String must be one of: {words}")

    return check


def gzip_level(name: str, value: Value) -> None:
    if not isinstance(value, int) or not (value == -1 or 1 <= value <= 9):
        raise invalid_value(name, _shown(value), "Value must be between 1 and 9 or equal to -1")


def throttled_replicas(name: str, value: Value) -> None:
    members = value if isinstance(value, tuple) else ()
    if members == ("*",) or all(re.fullmatch(r"[0-9]+:[0-9]+", member) for member in members):
        return
    form = "[partitionId]:[brokerId],[partitionId]:[brokerId],..."
    shown = "[" + ", ".join(members) + "]"
    raise invalid_value(
        name, shown, f"{name} must be the literal '*' or a list of replicas in the following format: {form}"
    )


def quorum_voters(name: str, value: Value) -> None:
    for entry in value if isinstance(value, tuple) else ():
        if not re.fullmatch(r"[0-9]+@[^@\s]+:[0-9]+", entry):
            raise ConfigError(
                f"Invalid configuration value for {name}. Each entry should be in the form `{{id}}@{{host}}:{{port}}`.",
                name,
            )


def bootstrap_servers(name: str, value: Value) -> None:
    for entry in value if isinstance(value, tuple) else ():
        if not re.fullmatch(r"\S+:[0-9]+", entry):
            raise ConfigError(
                f"Failed to parse host name from {entry} for the configuration {name}. "
                'Each entry should be in the form "{host}:{port}"',
                name,
            )


def share_offset_reset(name: str, value: Value) -> None:
    if value in ("earliest", "latest") or (isinstance(value, str) and re.fullmatch(_BY_DURATION, value, re.IGNORECASE)):
        return
    raise invalid_value(
        name,
        _shown(value),
        f"Invalid value `{_shown(value)}` for configuration {name}. The value must be either 'earliest', 'latest' "
        "or of the format 'by_duration:<PnDTnHnMn.nS>'.",
    )


# Compiled at use (by `re`, which remembers it): a group's key, rarely set.
_BY_DURATION: Final = r"by_duration:P(?=[0-9T])([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]{1,9})?S)?)?"


def _shown(value: Value) -> object:
    if isinstance(value, float):
        return java_double(value)
    return "null" if value is None else value
