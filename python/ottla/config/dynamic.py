"""Which settings may change while the broker runs, for one broker or for the cluster.

Prior art: Kafka's `DynamicBrokerConfig`. Ours decides alone: what was accepted comes back with the metadata, and makes
a new immutable `BrokerConfig`. A core: nothing here reads metadata or waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ottla.config import parse, registry
from ottla.config.definition import ConfigError, Update
from ottla.config.node import parse_node
from ottla.config.values import BrokerConfig

_PER_LISTENER_ONLY: Final = ("ssl.", "sasl.")


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
