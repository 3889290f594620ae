"""What a configuration key is: its name, type, default, the values it may take, and how it may change.

Prior art: Kafka's `ConfigDef`, one object that is declared, parsed, validated and documented in one place. Ours keeps
the declarations as plain rows (`ottla.config.tables`), so that importing them costs a few milliseconds, and the rules
for text in `ottla.config.parse`, so that they can be read alone.

Invariants: a default is a value of its type; a validator accepts or refuses a typed value and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias, final

Value: TypeAlias = bool | int | float | str | tuple[str, ...] | None
"""A typed value: `None` is Kafka's null, a list is a tuple of strings, a password or class name is a string."""

Check: TypeAlias = Callable[[str, Value], None]
"""Of (key, typed value): raises `ConfigError` in Kafka's words when it may not be so."""


class ConfigType(IntEnum):
    """The type of a key; the value is the number DescribeConfigs sends."""

    UNKNOWN = 0
    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7
    CLASS = 8
    PASSWORD = 9


class Importance(IntEnum):
    """How likely it is that somebody should care."""

    HIGH = 0
    MEDIUM = 1
    LOW = 2


class Update(IntEnum):
    """How a key may change while the broker runs."""

    READ_ONLY = 0
    """Only by restart."""
    PER_BROKER = 1
    """As dynamic configuration of one broker."""
    CLUSTER_WIDE = 2
    """As dynamic default of the cluster, or of one broker."""
    RESOURCE = 3
    """A key of a topic, group, client-metrics subscription or quota entity: whenever that resource is altered."""


@final
class Required:
    """The default of a key that has none."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = Required()

Row: TypeAlias = tuple[str, ConfigType, "Value | Required", Check | None, Update, Importance, str]
"""A declaration as the tables write it: name, type, default, check, update mode, importance, documentation."""


@final
class Definition(NamedTuple):
    """One configuration key."""

    name: str
    type: ConfigType
    default: Value | Required
    check: Check | None
    update: Update
    importance: Importance
    documentation: str
    internal: bool = False
    """Not for users: never described unless it was set."""

    @property
    def sensitive(self) -> bool:
        return self.type is ConfigType.PASSWORD


def define(rows: Iterable[Row], *, internal: bool = False) -> tuple[Definition, ...]:
    return tuple(Definition(*row, internal) for row in rows)


class ConfigError(ValueError):
    """A configuration that cannot be. `str()` is Kafka's message (class ConfigException)."""

    def __init__(self, message: str, name: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.name = name
        """The key it is about, where it is about one."""


def invalid_value(name: str, value: object, reason: str = "") -> ConfigError:
    """Kafka's ConfigException(name, value, reason)."""
    return ConfigError(f"Invalid value {value} for configuration {name}" + (f": {reason}" if reason else ""), name)


# Short names for the tables.
BOOLEAN: Final = ConfigType.BOOLEAN
STRING: Final = ConfigType.STRING
INT: Final = ConfigType.INT
SHORT: Final = ConfigType.SHORT
LONG: Final = ConfigType.LONG
DOUBLE: Final = ConfigType.DOUBLE
LIST: Final = ConfigType.LIST
CLASS: Final = ConfigType.CLASS
PASSWORD: Final = ConfigType.PASSWORD
HIGH: Final = Importance.HIGH
MEDIUM: Final = Importance.MEDIUM
LOW: Final = Importance.LOW
READ_ONLY: Final = Update.READ_ONLY
PER_BROKER: Final = Update.PER_BROKER
CLUSTER_WIDE: Final = Update.CLUSTER_WIDE
RESOURCE: Final = Update.RESOURCE
INT_MAX: Final = 2**31 - 1
LONG_MAX: Final = 2**63 - 1
