"""Every key there is, by resource, and how a name that is not there was probably meant.

Built from `ottla.config.tables` when imported; plain dicts, nothing else. A broker key may carry the prefix
`listener.name.<listener>.` (and then `<mechanism>.` for SASL); the prefixed key has the type and check of the bare one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ottla.config.definition import Definition
from ottla.config.tables import (
    client_metrics,
    controller,
    group,
    groups,
    log,
    metrics,
    network,
    quotas,
    remote,
    replication,
    sasl,
    security,
    server,
    share,
    streams,
    topic,
    transactions,
)


def _by_name(*tables: Iterable[Definition]) -> dict[str, Definition]:
    return {d.name: d for d in sorted((d for table in tables for d in table), key=lambda d: d.name)}


BROKER: Final = _by_name(
    server.DEFINITIONS,
    network.DEFINITIONS,
    log.DEFINITIONS,
    replication.DEFINITIONS,
    controller.DEFINITIONS,
    groups.DEFINITIONS,
    share.DEFINITIONS,
    streams.DEFINITIONS,
    transactions.DEFINITIONS,
    remote.DEFINITIONS,
    security.DEFINITIONS,
    sasl.DEFINITIONS,
    metrics.DEFINITIONS,
)
TOPIC: Final = _by_name(topic.DEFINITIONS)
GROUP: Final = _by_name(group.DEFINITIONS)
CLIENT_METRICS: Final = _by_name(client_metrics.DEFINITIONS)
USER_CLIENT_QUOTA: Final = _by_name(quotas.USER_CLIENT)
IP_QUOTA: Final = _by_name(quotas.IP)
BROKER_QUOTA: Final = _by_name(quotas.BROKER)
"""Dynamic only: they cannot stand in a file."""

TOPIC_SYNONYMS: Final = topic.SYNONYMS
GROUP_SYNONYMS: Final = group.SYNONYMS

_LISTENER_KEY: Final = re.compile(r"listener\.name\.[^.]*\.(.*)")
_PLUGIN_PREFIXES: Final = ("config.providers.", "rlmm.config.", "rsm.config.")
_CHAINS: Final = (
    ("log.roll.ms", "log.roll.hours"),
    ("log.roll.jitter.ms", "log.roll.jitter.hours"),
    ("log.retention.ms", "log.retention.minutes", "log.retention.hours"),
    ("log.flush.interval.ms", "log.flush.scheduler.interval.ms"),
)
_BY_MECHANISM: Final = (
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.server.callback.handler.class",
    "connections.max.reauth.ms",
)


def bare_name(name: str) -> str:
    """A broker key without its listener and mechanism prefix."""
    match = _LISTENER_KEY.fullmatch(name)
    if match is None:
        return name
    rest = match[1]
    return next((key for key in _BY_MECHANISM if rest.endswith(key)), rest)


def broker_definition(name: str) -> Definition | None:
    """The definition of a broker key, bare or with a listener prefix, or of a broker quota, under the name given."""
    if (found := BROKER.get(name) or BROKER_QUOTA.get(name)) is not None:
        return found
    bare = BROKER.get(bare_name(name))
    return None if bare is None else bare._replace(name=name)


def broker_synonyms(name: str) -> tuple[str, ...]:
    """The keys that may give `name` its value, the strongest first (`DynamicBrokerConfig.brokerConfigSynonyms`)."""
    for chain in _CHAINS:
        if name in chain:
            return chain
    bare = bare_name(name)
    return (name,) if bare == name else (name, bare)


def is_known_in_file(name: str) -> bool:
    """May it stand in server.properties? The settings of plug-ins are theirs to judge."""
    if name in BROKER_QUOTA:
        return False
    return broker_definition(name) is not None or name.startswith(_PLUGIN_PREFIXES)


def closest(name: str) -> str | None:
    """The broker key that was probably meant."""
    from difflib import get_close_matches  # a slow import, for a rare message

    found = get_close_matches(bare_name(name), list(BROKER), n=1, cutoff=0.75)
    return found[0] if found else None
