"""What DescribeConfigs says about a key: its value, where the value comes from, and what else would give it one.

Prior art: Kafka's `ConfigHelper`. A pure function of a `BrokerConfig` and a resource's overrides. Of the odd corners
kept: synonyms are dropped until one carries the described key's own name, so `retention.ms` of a topic shows nothing
of `log.retention.hours`; a value Kafka knows no type for is taken for a secret.

KIP-133, KIP-226 (sources and synonyms), KIP-569 (types, documentation).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple, final

from ottla.config import parse, registry
from ottla.config.definition import ConfigType, Definition, Required, Update, Value
from ottla.config.group import group_value
from ottla.config.topic import topic_values
from ottla.config.values import BrokerConfig


class Source(IntEnum):
    """Where a value comes from; the number on the wire."""

    TOPIC = 1
    DYNAMIC_BROKER = 2
    DYNAMIC_DEFAULT_BROKER = 3
    STATIC_BROKER = 4
    DEFAULT = 5
    DYNAMIC_BROKER_LOGGER = 6
    CLIENT_METRICS = 7
    GROUP = 8


@final
class Synonym(NamedTuple):
    """A key that gives a value, or would if the ones before it were not set."""

    name: str
    value: str | None
    source: Source


@final
class Entry(NamedTuple):
    """One key of a resource, described."""

    name: str
    value: str | None
    """Null when it is null, and when it is a secret."""
    source: Source
    read_only: bool
    sensitive: bool
    synonyms: tuple[Synonym, ...]
    """The strongest first."""
    type: ConfigType
    documentation: str | None


def describe_broker(config: BrokerConfig, keys: Collection[str] | None = None) -> list[Entry]:
    """Every key of this broker, or those of `keys` that there are; unknown keys that were set, too."""
    names = {name for name, definition in registry.BROKER.items() if not definition.internal} | config.written.keys()
    return [_broker_entry(config, name, default_only=False) for name in _chosen(names, keys)]


def describe_broker_defaults(config: BrokerConfig, keys: Collection[str] | None = None) -> list[Entry]:
    """The dynamic defaults of the cluster: what the broker resource without a name has."""
    return [_broker_entry(config, name, default_only=True) for name in _chosen(config.cluster_dynamic, keys)]


def describe_topic(
    config: BrokerConfig, overrides: Mapping[str, str], keys: Collection[str] | None = None
) -> list[Entry]:
    """Every key of a topic with these overrides. Raises `ConfigError` when an override cannot be read."""
    values = topic_values(config, overrides)
    entries: list[Entry] = []
    for name in _chosen(_visible(registry.TOPIC, overrides), keys):
        definition = registry.TOPIC.get(name)
        value = overrides[name] if definition is None else values[name]
        synonyms: tuple[Synonym, ...] = ()
        if chain := registry.TOPIC_SYNONYMS.get(name):
            synonyms = _broker_synonyms(config, chain[0][0])
        entries.append(_resource_entry(name, definition, value, overrides, synonyms, Source.TOPIC))
    return entries


def describe_group(
    config: BrokerConfig, overrides: Mapping[str, str], keys: Collection[str] | None = None
) -> list[Entry]:
    """Every key of a group with these overrides. Raises `ConfigError` when an override cannot be read."""
    entries: list[Entry] = []
    for name in _chosen(_visible(registry.GROUP, overrides), keys):
        definition = registry.GROUP.get(name)
        synonym = registry.GROUP_SYNONYMS.get(name)
        synonyms = _default_synonym(definition) if synonym is None else _broker_synonyms(config, synonym)
        value = overrides[name] if definition is None else group_value(config, overrides, name)
        entries.append(_resource_entry(name, definition, value, overrides, synonyms, Source.GROUP))
    return entries


def describe_client_metrics(overrides: Mapping[str, str], keys: Collection[str] | None = None) -> list[Entry]:
    """Every key of a client-metrics subscription. Raises `ConfigError` when an override cannot be read."""
    entries: list[Entry] = []
    for name in _chosen(_visible(registry.CLIENT_METRICS, overrides), keys):
        definition = registry.CLIENT_METRICS.get(name)
        value = _own_value(name, definition, overrides)
        entries.append(_resource_entry(name, definition, value, overrides, (), Source.CLIENT_METRICS))
    return entries


def _chosen(names: Iterable[str], keys: Collection[str] | None) -> list[str]:
    """An empty list of keys means all of them, as a null one does."""
    return sorted(name for name in names if not keys or name in keys)


def _visible(definitions: Mapping[str, Definition], overrides: Mapping[str, str]) -> set[str]:
    return {name for name, definition in definitions.items() if not definition.internal} | overrides.keys()


def _broker_entry(config: BrokerConfig, name: str, *, default_only: bool) -> Entry:
    definition = registry.broker_definition(name)
    sensitive = definition is None or definition.sensitive
    synonyms = _broker_synonyms(config, name)
    if default_only:
        synonyms = tuple(synonym for synonym in synonyms if synonym.source is Source.DYNAMIC_DEFAULT_BROKER)
    if sensitive or definition is None:
        value = None
    elif default_only:
        value = config.cluster_dynamic[name]
    else:
        value = parse.value_to_text(definition.type, config.value(name))
    return Entry(
        name,
        value,
        synonyms[0].source if synonyms else Source.DEFAULT,
        # Kafka looks for the name as it stands: a key with a listener prefix is called read-only, though it is not.
        definition is None or definition.update is Update.READ_ONLY or name != registry.bare_name(name),
        sensitive,
        synonyms,
        ConfigType.UNKNOWN if definition is None else definition.type,
        None if definition is None else definition.documentation,
    )


def _resource_entry(
    name: str,
    definition: Definition | None,
    value: Value,
    overrides: Mapping[str, str],
    synonyms: tuple[Synonym, ...],
    own: Source,
) -> Entry:
    sensitive = definition is None or definition.sensitive
    text = None if definition is None or sensitive else parse.value_to_text(definition.type, value)
    if name in overrides:
        synonyms = (Synonym(name, text, own), *synonyms)
    return Entry(
        name,
        text,
        synonyms[0].source if synonyms else Source.DEFAULT,
        False,
        sensitive,
        synonyms,
        ConfigType.UNKNOWN if definition is None else definition.type,
        None if definition is None else definition.documentation,
    )


def _broker_synonyms(config: BrokerConfig, name: str) -> tuple[Synonym, ...]:
    names = registry.broker_synonyms(name)
    definition = registry.broker_definition(name)
    sensitive = definition is None or definition.sensitive
    found: list[Synonym] = []
    for layer, source in (
        (config.broker_dynamic, Source.DYNAMIC_BROKER),
        (config.cluster_dynamic, Source.DYNAMIC_DEFAULT_BROKER),
        (config.static, Source.STATIC_BROKER),
    ):
        found += (Synonym(key, None if sensitive else layer[key], source) for key in names if key in layer)
    found += (Synonym(key, text, Source.DEFAULT) for key in names if (text := _default_text(key)) is not None)
    own = next((index for index, synonym in enumerate(found) if synonym.name == name), len(found))
    return tuple(found[own:])


def _default_text(name: str) -> str | None:
    definition = registry.BROKER.get(name)
    if definition is None or definition.internal or isinstance(definition.default, Required):
        return None
    return parse.value_to_text(definition.type, definition.default)


def _default_synonym(definition: Definition | None) -> tuple[Synonym, ...]:
    if definition is None or isinstance(definition.default, Required) or definition.default is None:
        return ()
    return (Synonym(definition.name, parse.value_to_text(definition.type, definition.default), Source.DEFAULT),)


def _own_value(name: str, definition: Definition | None, overrides: Mapping[str, str]) -> Value:
    if definition is None:
        return overrides[name]
    if name in overrides:
        return parse.parse_value(definition, overrides[name])
    return None if isinstance(definition.default, Required) else definition.default
