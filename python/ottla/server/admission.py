"""Who may connect: ``max.connections`` of the broker and each listener, ``max.connections.per.ip`` and its overrides.

Kafka class ``ConnectionQuotas``. As there, a listener at its limit accepts no more until a connection ends, and an
address at its limit is turned away at once. The listener of the brokers knows no limit of the broker: a connection of
another listener goes instead, the one idle for the longest time. Ours counts in the data plane, which owns the
connections, and decides here, before one is handed over.

Invariants: ``ConnectionLimits`` is plain data and asks nobody; whoever waits for room looks again after every
connection that ends and every change of the limits.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, Self, final

import trio

from ottla.config.definition import ConfigError
from ottla.config.listeners import Listeners
from ottla.config.values import BrokerConfig
from ottla.dataplane.plane import plain_host

__all__ = ["Admission", "ConnectionLimits", "Connections"]

MAX_CONNECTIONS: Final = "max.connections"
PER_IP: Final = "max.connections.per.ip"
OVERRIDES: Final = "max.connections.per.ip.overrides"


class Connections(Protocol):
    """The open connections, which the data plane owns."""

    def connection_census(self, listener: str, host: str) -> tuple[int, int, int]:
        """How many are open: all, on this listener, from this address."""

    def watch_connections(self) -> None:
        """The next one that ends is told, by ``Admission.changed``."""

    def evict_connection(self, protected: str) -> bool:
        """Ends the one idle for the longest time, of those that did not come in on this listener."""


@final
@dataclass(slots=True, frozen=True)
class ConnectionLimits:
    """How many connections there may be at a time."""

    total: int
    of_listener: Mapping[str, int]
    of_host: int
    of_hosts: Mapping[str, int]
    """Addresses with a limit of their own."""
    protected: str | None
    """The listener that the limit of the broker does not hold for; none when it is the only one."""

    @classmethod
    def of(cls, config: BrokerConfig, listeners: Listeners) -> Self:
        """The limits that are configured. Looks up names among the overrides, and blocks for that; raises
        ``ConfigError`` for what is no ``address:limit``."""
        names = [end.listener for end in listeners.broker]
        return cls(
            total=config.integer(MAX_CONNECTIONS),
            of_listener={name: _whole(config.listener_value(name, MAX_CONNECTIONS)) for name in names},
            of_host=config.integer(PER_IP),
            of_hosts=_overrides(config.text(OVERRIDES)),
            protected=listeners.inter_broker if len(names) > 1 else None,
        )

    def has_room(self, listener: str, total: int, of_listener: int) -> bool:
        """May one more connection be accepted here, when so many are open?"""
        return of_listener < self.of_listener[listener] and (listener == self.protected or total < self.total)

    def host_limit(self, host: str) -> int:
        """How many connections an address may have."""
        return self.of_hosts.get(host, self.of_host)


def _whole(value: object) -> int:
    assert isinstance(value, int), value
    return value


def _overrides(text: str) -> dict[str, int]:
    limits: dict[str, int] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        host, colon, limit = entry.rpartition(":")
        if not colon or not limit.strip().isdecimal():
            words = f"Invalid value {text} for configuration {OVERRIDES}: {entry} is no address:limit"
            raise ConfigError(words, OVERRIDES)
        limits.update(dict.fromkeys(_addresses(host.strip()), int(limit)))
    return limits


def _addresses(host: str) -> set[str]:
    """What a peer of this name is called when it connects."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"{OVERRIDES} contains invalid addresses : {host}", OVERRIDES) from error
    return {plain_host(str(address[0])) for *_, address in found}


@final
class Admission:
    """Holds the limits against the connections of one broker. One thread."""

    def __init__(self, limits: ConnectionLimits, connections: Connections) -> None:
        self._limits = limits
        self._connections = connections
        self._change = trio.Event()

    @property
    def limits(self) -> ConnectionLimits:
        """Those in force."""
        return self._limits

    @limits.setter
    def limits(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self.changed()

    def changed(self) -> None:
        """A connection ended: whoever waits for room looks again."""
        self._change.set()
        self._change = trio.Event()

    def has_room(self, listener: str) -> bool:
        """May one more connection be accepted here?"""
        total, of_listener, _ = self._connections.connection_census(listener, "")
        return self._limits.has_room(listener, total, of_listener)

    async def wait_room(self, listener: str) -> None:
        """Returns when one more connection may be accepted here."""
        while True:
            change = self._change
            # Told from now on, then looked at: what ends in between is told as well.
            self._connections.watch_connections()
            if self.has_room(listener):
                return
            await change.wait()

    def refusal(self, host: str) -> str | None:
        """Why an address may not connect again now; none when it may."""
        limit = self._limits.host_limit(host)
        _, _, open_now = self._connections.connection_census("", host)
        if open_now < limit:
            return None
        return f"{host} has {open_now} connections, {PER_IP} allows {limit}"

    def make_room(self, listener: str) -> None:
        """Before a connection is handed over: at the limit of the broker, one of another listener goes for it."""
        if listener == self._limits.protected:
            total, _, _ = self._connections.connection_census(listener, "")
            if total >= self._limits.total:
                self._connections.evict_connection(listener)
