"""Listeners: which sockets this node opens, who they are for, and what address clients are told.

Prior art: Kafka's `AbstractKafkaConfig` and `SocketServerConfigs`, with the same rules and words. Ours differs in two
things, said where they are: a combined node that is its own whole quorum needs no controller socket, and without
`advertised.listeners` a client is told the address it connected by (so `advertised` stays empty).

Invariants: listener names are unique and upper case; every listener has a security protocol; broker and controller
listeners are disjoint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final, NamedTuple, final

from ottla.config.definition import ConfigError


class SecurityProtocol(IntEnum):
    """How a listener is secured; the value is the id in metadata records."""

    PLAINTEXT = 0
    SSL = 1
    SASL_PLAINTEXT = 2
    SASL_SSL = 3


@final
class Endpoint(NamedTuple):
    """`NAME://host:port`. An empty host is every address of this machine; port 0 is chosen when bound."""

    listener: str
    host: str
    port: int
    protocol: SecurityProtocol

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.listener}://{host}:{self.port}"


@final
class Voter(NamedTuple):
    """A voter of a static metadata quorum."""

    id: int
    host: str
    port: int


@final
class Listeners(NamedTuple):
    """The sockets of this node."""

    broker: tuple[Endpoint, ...]
    """To open for clients and other brokers."""
    controller: tuple[Endpoint, ...]
    """To open for the metadata quorum; empty when this node is the whole quorum and opens none."""
    advertised: Mapping[str, Endpoint]
    """Of a listener name: the address to tell. A listener that is missing tells the address connected by."""
    inter_broker: str | None
    """The listener brokers reach each other by; None where there is no broker role."""
    controller_names: tuple[str, ...]
    """The names of controller listeners; a node without the controller role reaches it by the first."""
    protocols: Mapping[str, SecurityProtocol]
    """Of every mapped listener name."""


_ENDPOINT: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-_]*)://(?:\[([0-9A-Fa-f:.%]+)\]|([^\s\[\]/?#@:]*)):(-?[0-9]+)/?")
_VOTER: Final = re.compile(r"([0-9]+)@(?:\[([^\]]+)\]|([^\s\[\]@:]+)):([0-9]+)")


def parse_protocol_map(entries: Sequence[str], key: str) -> dict[str, SecurityProtocol]:
    """`NAME:PROTOCOL,…`; raises `ConfigError`."""
    protocols: dict[str, SecurityProtocol] = {}
    for entry in entries:
        name, colon, protocol = entry.rpartition(":")
        if not colon or not name:
            raise ConfigError(f"Error parsing configuration property '{key}': {entry}", key)
        if protocol.upper() not in SecurityProtocol.__members__:
            raise ConfigError(f"Invalid security protocol `{protocol}` defined in {key}", key)
        protocols[name.strip().upper()] = SecurityProtocol[protocol.upper()]
    return protocols


def parse_endpoints(
    entries: Sequence[str], protocols: Mapping[str, SecurityProtocol], key: str, *, distinct_ports: bool
) -> tuple[Endpoint, ...]:
    """`NAME://host:port` each; raises `ConfigError`."""
    endpoints: list[Endpoint] = []
    for entry in entries:
        match = _ENDPOINT.fullmatch(entry)
        if match is None or not -1 <= int(match[4]) <= 65535:
            raise _bad_listeners(key, entries, f"Unable to parse {entry} to a broker endpoint")
        name = match[1].upper()
        if name not in protocols:
            raise _bad_listeners(key, entries, f"No security protocol defined for listener {name}")
        endpoints.append(Endpoint(name, match[2] or match[3] or "", int(match[4]), protocols[name]))
    _require_distinct(endpoints, entries, key, distinct_ports)
    return tuple(endpoints)


def _require_distinct(endpoints: Sequence[Endpoint], entries: Sequence[str], key: str, distinct_ports: bool) -> None:
    listed = ",".join(entries)
    if len({endpoint.listener for endpoint in endpoints}) != len(endpoints):
        raise _bad_listeners(key, entries, f"Each listener must have a different name, listeners: {listed}")
    if not distinct_ports:
        return
    by_port: dict[int, list[Endpoint]] = {}
    for endpoint in endpoints:
        if endpoint.port > 0:
            by_port.setdefault(endpoint.port, []).append(endpoint)
    for port, sharing in by_port.items():
        if len(sharing) > 2 or (len(sharing) == 2 and sum(":" in endpoint.host for endpoint in sharing) != 1):
            raise _bad_listeners(
                key,
                entries,
                "Each listener must have a different port unless exactly one listener has an IPv4 address and the "
                f"other IPv6 address, listeners: {listed}, port: {port}",
            )


def _bad_listeners(key: str, entries: Sequence[str], reason: str) -> ConfigError:
    return ConfigError(f"Error creating broker listeners from '{','.join(entries)}' ({key}): {reason}", key)


def parse_voters(entries: Sequence[str]) -> tuple[Voter, ...]:
    """`id@host:port` each; raises `ConfigError`."""
    key = "controller.quorum.voters"
    voters: list[Voter] = []
    for entry in entries:
        match = _VOTER.fullmatch(entry)
        if match is None or int(match[4]) > 65535 or int(match[1]) >= 2**31:
            raise ConfigError(
                f"Invalid configuration value for {key}: {entry}. "
                "Each entry should be in the form `{id}@{host}:{port}`.",
                key,
            )
        voters.append(Voter(int(match[1]), match[2] or match[3], int(match[4])))
    if len({voter.id for voter in voters}) != len(voters):
        raise ConfigError(f"{key} names a voter id twice: {','.join(entries)}", key)
    return tuple(voters)
