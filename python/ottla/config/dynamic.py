"""Changing configuration while the broker runs: validate first, then tell everybody who reads the key.

Prior art: Kafka's `DynamicBrokerConfig` with its `BrokerReconfigurable`s. Ours holds one immutable `BrokerConfig` and
swaps it; who owns a component subscribes to the keys it reads. A core: nothing here reads metadata or waits.

Invariants: `current` is always valid; subscribers are told in the order they subscribed, after every one of them has
accepted the change; a change that one refuses changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias, final

from ottla.config import parse, registry
from ottla.config.definition import ConfigError, Update
from ottla.config.node import parse_node
from ottla.config.values import BrokerConfig

Validate: TypeAlias = Callable[[BrokerConfig], None]
"""Of the configuration to come; raises `ConfigError` to refuse it."""
Apply: TypeAlias = Callable[[BrokerConfig, frozenset[str]], None]
"""Of the new configuration and the bare names that changed; must not fail."""

_PER_LISTENER_ONLY: Final = ("ssl.", "sasl.")


@final
class _Subscriber(NamedTuple):
    keys: frozenset[str]
    validate: Validate | None
    apply: Apply


@final
class DynamicConfig:
    """The configuration as it is now, and who wants to know when it changes. One thread."""

    __slots__ = ("_subscribers", "current")

    def __init__(self, static: BrokerConfig) -> None:
        self.current = static
        self._subscribers: list[_Subscriber] = []

    def subscribe(self, keys: Collection[str], apply: Apply, validate: Validate | None = None) -> Callable[[], None]:
        """Tell `apply` when one of `keys` (bare broker keys) changes; returns the function that ends it."""
        subscriber = _Subscriber(frozenset(keys), validate, apply)
        assert all(key in registry.BROKER for key in subscriber.keys), subscriber.keys - registry.BROKER.keys()
        self._subscribers.append(subscriber)

        def cancel() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return cancel

    def check(self, cluster: Mapping[str, str], broker: Mapping[str, str]) -> BrokerConfig:
        """The configuration under these dynamic layers, if all agree; raises `ConfigError`."""
        changed = self.current.with_dynamic(cluster, broker)
        parse_node(changed)
        names = _changed(self.current, changed)
        for subscriber in self._subscribers:
            if subscriber.validate is not None and subscriber.keys & names:
                subscriber.validate(changed)
        return changed

    def update(self, cluster: Mapping[str, str], broker: Mapping[str, str]) -> tuple[ConfigError, ...]:
        """Take over the dynamic layers that metadata has; the entries nobody can accept are left out and returned.

        As Kafka does on reload: one bad entry, maybe written by a newer version, must not hold back the others.
        """
        problems: list[ConfigError] = []
        cluster, broker = dict(cluster), dict(broker)
        while True:
            try:
                changed = self.check(cluster, broker)
                break
            except ConfigError as error:
                problems.append(error)
                if error.name in broker:
                    del broker[error.name]
                elif error.name in cluster:
                    del cluster[error.name]
                else:
                    return tuple(problems)
        names = _changed(self.current, changed)
        self.current = changed
        for subscriber in self._subscribers:
            if subscriber.keys & names:
                subscriber.apply(changed, names)
        return tuple(problems)


def validate_names(settings: Mapping[str, str], *, per_broker: bool) -> None:
    """May these keys be dynamic at all, for one broker or as cluster default? Raises `ConfigError` in Kafka's words."""
    fixed = [name for name in settings if _update(name) is Update.READ_ONLY]
    _refuse(fixed, "Cannot update these configs dynamically")
    secured = [
        name
        for name in settings
        if name.startswith(_PER_LISTENER_ONLY) and _update(name) is Update.PER_BROKER and name in registry.BROKER
    ]
    _refuse(secured, "These security configs can be dynamically updated only per-listener using the listener prefix")
    for name, text in settings.items():
        if (definition := registry.broker_definition(name)) is not None:
            parse.parse_value(definition, text)
    if not per_broker:
        single = [name for name in settings if _update(name) is Update.PER_BROKER]
        _refuse(single, "Cannot update these configs at default cluster level, broker id must be specified")


def validate_layer(current: BrokerConfig, layer: Mapping[str, str], *, per_broker: bool) -> None:
    """May these be all dynamic settings of this broker, or (`per_broker` false) of the cluster? Raises `ConfigError` in
    Kafka's words."""
    validate_names(layer, per_broker=per_broker)
    cluster, broker = (current.cluster_dynamic, layer) if per_broker else (layer, current.broker_dynamic)
    parse_node(current.with_dynamic(cluster, broker))


def _update(name: str) -> Update | None:
    definition = registry.broker_definition(name)
    return None if definition is None else definition.update


def _refuse(names: Iterable[str], reason: str) -> None:
    if listed := ", ".join(names):
        raise ConfigError(f"{reason}: [{listed}]", listed.split(", ")[0])


def _changed(old: BrokerConfig, new: BrokerConfig) -> frozenset[str]:
    """The bare names whose value differs, prefixed forms counted under their bare name."""
    names = {*old.cluster_dynamic, *old.broker_dynamic, *new.cluster_dynamic, *new.broker_dynamic}
    return frozenset(
        registry.bare_name(name)
        for name in names
        if registry.broker_definition(name) is not None and _value(old, name) != _value(new, name)
    )


def _value(config: BrokerConfig, name: str) -> object:
    return config.value(name) if name in registry.BROKER or name in config.written else None
