"""Text to typed value and back, as Kafka's `ConfigDef.parseType` and `convertToString` do it.

Ours differs in one thing: a class name is not loaded, since a plug-in of Ottla is not a Java class; whoever needs one
says so when it is used. Invariant: `value_to_text(parse_value(d, t))` parses to the same value again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ottla.config.definition import ConfigError, ConfigType, Definition, Required, Value, invalid_value
from ottla.config.doubles import java_double

HIDDEN: Final = "[hidden]"
"""What is shown in place of a password."""

_WHOLE_BITS: Final = {ConfigType.SHORT: 16, ConfigType.INT: 32, ConfigType.LONG: 64}
_WHOLE = re.compile(r"[+-]?[0-9]+")
_REAL = re.compile(r"([+-]?(?:NaN|Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))[fFdD]?")
_COMMA = re.compile(r"\s*,\s*")
_JAVA_SPACE: Final = "".join(map(chr, range(0x21)))


def parse_text(type_: ConfigType, name: str, text: str) -> Value:
    """The typed value of `text`, not yet checked; raises `ConfigError`."""
    trimmed = text.strip(_JAVA_SPACE)
    if type_ in _WHOLE_BITS:
        limit = 1 << (_WHOLE_BITS[type_] - 1)
        # The length is bounded before int() sees it: Python refuses very long digits in its own words.
        if _WHOLE.fullmatch(trimmed) and len(trimmed) <= 64 and -limit <= int(trimmed) < limit:
            return int(trimmed)
        raise invalid_value(name, text, f"Not a number of type {type_.name}")
    if type_ is ConfigType.BOOLEAN:
        if trimmed.lower() in ("true", "false"):
            return trimmed.lower() == "true"
        raise invalid_value(name, text, "Expected value to be either true or false")
    if type_ is ConfigType.DOUBLE:
        if match := _REAL.fullmatch(trimmed):
            return float(match[1])
        raise invalid_value(name, text, "Not a number of type DOUBLE")
    if type_ is ConfigType.LIST:
        return tuple(_COMMA.split(trimmed)) if trimmed else ()
    return trimmed


def parse_value(definition: Definition, text: str) -> Value:
    """The typed and checked value of `text`; raises `ConfigError`."""
    value = parse_text(definition.type, definition.name, text)
    if definition.check is not None:
        definition.check(definition.name, value)
    # A word listed twice counts once, after the check has seen both.
    return tuple(dict.fromkeys(value)) if isinstance(value, tuple) else value


def parse_all(definitions: Mapping[str, Definition], texts: Mapping[str, str]) -> dict[str, Value]:
    """Every key of `definitions`, from `texts` or its default; raises `ConfigError` for the first that cannot be.

    Texts under other names are passed over.
    """
    values: dict[str, Value] = {}
    for name, definition in definitions.items():
        text = texts.get(name)
        if text is not None:
            values[name] = parse_value(definition, text)
        elif isinstance(definition.default, Required):
            raise ConfigError(f'Missing required configuration "{name}" which has no default value.', name)
        else:
            values[name] = definition.default
    return values


def value_to_text(type_: ConfigType, value: Value) -> str | None:
    """As DescribeConfigs shows a value; null stays null, a password is hidden."""
    if value is None:
        return None
    if type_ is ConfigType.PASSWORD:
        return HIDDEN
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, float):
        return java_double(value)
    return str(value)
