"""The configuration of one broker at one moment: what was written, in layers, and the typed value of every key.

Prior art: Kafka's `KafkaConfig` under its `DynamicBrokerConfig`. Ours is a snapshot that never changes: a dynamic
update makes a new one (`with_dynamic`), so whoever holds one sees a consistent set of values.

Layers, the strongest first: this broker's dynamic configs, the dynamic defaults of the cluster, the static settings of
file and command line, the defaults of the keys. Invariant: every key of the registry has a value of its type that its
check accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final

from ottla.config import parse, registry
from ottla.config.definition import ConfigError, Value

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@final
class BrokerConfig:
    """An immutable view of all values; see the getters. Making one raises `ConfigError` for the first bad value."""

    __slots__ = ("_prefixed", "_values", "broker_dynamic", "cluster_dynamic", "static")

    def __init__(
        self,
        static: Mapping[str, str],
        cluster_dynamic: Mapping[str, str] = _NOTHING,
        broker_dynamic: Mapping[str, str] = _NOTHING,
    ) -> None:
        self.static: Mapping[str, str] = MappingProxyType(with_twins(static))
        """As written, unknown keys too."""
        self.cluster_dynamic: Mapping[str, str] = MappingProxyType(dict(cluster_dynamic))
        self.broker_dynamic: Mapping[str, str] = MappingProxyType(dict(broker_dynamic))
        written = {**self.static, **self.cluster_dynamic, **self.broker_dynamic}
        self._values = parse.parse_all(registry.BROKER, written)
        self._prefixed: dict[str, Value] = {}
        for name, text in written.items():
            if name not in registry.BROKER and (definition := registry.broker_definition(name)) is not None:
                self._prefixed[name] = parse.parse_value(definition, text)

    def with_dynamic(self, cluster_dynamic: Mapping[str, str], broker_dynamic: Mapping[str, str]) -> BrokerConfig:
        """The same static settings under other dynamic layers; raises `ConfigError`."""
        return BrokerConfig(self.static, cluster_dynamic, broker_dynamic)

    @property
    def written(self) -> dict[str, str]:
        """What was written for each key in its strongest layer (Kafka's `originals`)."""
        return {**self.static, **self.cluster_dynamic, **self.broker_dynamic}

    def value(self, name: str) -> Value:
        """The typed value of a key of the registry, or of one with a listener prefix that was set."""
        return self._prefixed[name] if name in self._prefixed else self._values[name]

    def listener_value(self, listener: str, name: str) -> Value:
        """The value of `name` for one listener: `listener.name.<listener>.<name>` if that is set, else the bare key."""
        prefixed = f"listener.name.{listener.lower()}.{name}"
        return self.value(prefixed if prefixed in self._prefixed else name)

    def boolean(self, name: str) -> bool:
        value = self._values[name]
        assert isinstance(value, bool), name
        return value

    def integer(self, name: str) -> int:
        value = self._values[name]
        assert isinstance(value, int), name
        return value

    def optional_integer(self, name: str) -> int | None:
        value = self._values[name]
        assert value is None or isinstance(value, int), name
        return value

    def real(self, name: str) -> float:
        value = self._values[name]
        assert isinstance(value, float), name
        return value

    def text(self, name: str) -> str:
        value = self._values[name]
        assert isinstance(value, str), name
        return value

    def optional_text(self, name: str) -> str | None:
        value = self._values[name]
        assert value is None or isinstance(value, str), name
        return value

    def words(self, name: str) -> tuple[str, ...]:
        """A list; one that is null is empty."""
        value = self._values[name]
        assert value is None or isinstance(value, tuple), name
        return value or ()

    @property
    def node_id(self) -> int:
        return self.integer("node.id")

    @property
    def log_dirs(self) -> tuple[str, ...]:
        return self.words("log.dirs") or self.words("log.dir")

    @property
    def metadata_log_dir(self) -> str:
        return self.optional_text("metadata.log.dir") or self.log_dirs[0]


def with_twins(static: Mapping[str, str]) -> dict[str, str]:
    """With `broker.id` and `node.id` each standing in for the other (Kafka's `populateSynonyms`)."""
    settings = dict(static)
    if "broker.id" not in settings and "node.id" in settings:
        settings["broker.id"] = settings["node.id"]
    elif "node.id" not in settings and "broker.id" in settings:
        settings["node.id"] = settings["broker.id"]
    return settings


def require(condition: bool, message: str, name: str | None = None) -> None:
    """Raise `ConfigError` unless it holds: a check of one setting against another."""
    if not condition:
        raise ConfigError(message, name)
