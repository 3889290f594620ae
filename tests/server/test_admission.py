"""Limits of connections: what they are, who waits, who is turned away, who goes."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from ottla.config.definition import ConfigError
from ottla.config.load import EMBEDDED
from ottla.config.node import parse_node
from ottla.config.values import BrokerConfig
from ottla.server.admission import Admission, ConnectionLimits
from ottla.testing import Broker
from ottla.wire.k18_api_versions import ApiVersionsRequest
from tests.support.raw import Connection

TWO_LISTENERS = {
    "listeners": "IN://127.0.0.1:0,OUT://127.0.0.1:0",
    "listener.security.protocol.map": "IN:PLAINTEXT,OUT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "IN",
}


def limits(**settings: str) -> ConnectionLimits:
    written = {key.replace("_", "."): value for key, value in settings.items()}
    config = BrokerConfig({**dict(EMBEDDED), **written})
    return ConnectionLimits.of(config, parse_node(config).listeners)


def two_listeners(**settings: str) -> ConnectionLimits:
    config = BrokerConfig({**dict(EMBEDDED), **TWO_LISTENERS, **settings})
    return ConnectionLimits.of(config, parse_node(config).listeners)


class Opened:
    """Connections as (listener, host), and what was asked of them."""

    def __init__(self, *opened: tuple[str, str]) -> None:
        self.opened = list(opened)
        self.watched = False
        self.evicted: list[str] = []

    def connection_census(self, listener: str, host: str) -> tuple[int, int, int]:
        of_listener = sum(opened == listener for opened, _ in self.opened)
        return len(self.opened), of_listener, sum(opened == host for _, opened in self.opened)

    def watch_connections(self) -> None:
        self.watched = True

    def evict_connection(self, protected: str) -> bool:
        self.evicted.append(protected)
        return True


def test_without_settings_there_is_room_for_all() -> None:
    free = limits()
    assert free.has_room("PLAINTEXT", 1_000_000, 1_000_000)
    assert free.host_limit("10.0.0.1") == 2_147_483_647
    assert free.protected is None, "there is no other listener to make room"


def test_the_limit_of_the_broker_and_of_a_listener() -> None:
    both = two_listeners(**{"max.connections": "5", "listener.name.out.max.connections": "2"})
    assert both.protected == "IN"
    assert both.has_room("OUT", 4, 1)
    assert not both.has_room("OUT", 5, 1)
    assert not both.has_room("OUT", 2, 2)
    assert both.has_room("IN", 5, 3), "brokers come in though clients are too many"
    assert not both.has_room("IN", 5, 5)


def test_addresses_with_limits_of_their_own() -> None:
    some = limits(
        max_connections_per_ip="7", max_connections_per_ip_overrides="10.0.0.1:2, localhost:3,[::5]:4,::ffff:10.0.0.2:5"
    )
    hosts = ("10.0.0.1", "127.0.0.1", "::5", "10.0.0.2", "10.0.0.3")
    assert [some.host_limit(host) for host in hosts] == [2, 3, 4, 5, 7]


@pytest.mark.parametrize("text", ["10.0.0.1", "10.0.0.1:x", "no such name.:1"])
def test_overrides_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match=r"max\.connections\.per\.ip\.overrides"):
        limits(max_connections_per_ip_overrides=text)


def test_who_waits_for_room_looks_again_at_every_change() -> None:
    opened = Opened(("PLAINTEXT", "10.0.0.1"), ("PLAINTEXT", "10.0.0.2"))
    admission = Admission(limits(max_connections="2"), opened)
    entered: list[int] = []

    async def enter() -> None:
        await admission.wait_room("PLAINTEXT")
        entered.append(len(opened.opened))

    async def main() -> None:
        assert not admission.has_room("PLAINTEXT")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(enter)
            await trio.testing.wait_all_tasks_blocked()
            assert opened.watched
            admission.changed()
            await trio.testing.wait_all_tasks_blocked()
            assert entered == [], "as many as before"
            opened.opened.pop()
            admission.changed()
            await trio.testing.wait_all_tasks_blocked()
            assert entered == [1]
            opened.opened.append(("PLAINTEXT", "10.0.0.1"))
            nursery.start_soon(enter)
            await trio.testing.wait_all_tasks_blocked()
            admission.limits = limits(max_connections="3")
            await trio.testing.wait_all_tasks_blocked()
            assert entered == [1, 2]

    trio.run(main)


def test_room_for_a_broker_is_made_where_there_is_none() -> None:
    opened = Opened(("OUT", "10.0.0.1"), ("OUT", "10.0.0.2"))
    admission = Admission(two_listeners(**{"max.connections": "3"}), opened)
    admission.make_room("IN")
    opened.opened.append(("OUT", "10.0.0.3"))
    admission.make_room("OUT")
    assert opened.evicted == []
    admission.make_room("IN")
    assert opened.evicted == ["IN"]


def serves(connection: Connection) -> bool:
    code: int = connection.ask(ApiVersionsRequest(), 0).error_code
    return code == 0


def test_a_broker_at_its_limit_serves_the_next_when_one_leaves() -> None:
    with Broker(config={"max.connections": 2}) as broker:
        address = broker.bootstrap_servers
        with Connection(address) as first, Connection(address) as second:
            assert serves(first)
            assert serves(second)
            with Connection(address) as third:
                third.send(ApiVersionsRequest(), 0)
                for _ in range(50):
                    assert serves(second)
                assert not third.has_answer(0)
                first.close()
                assert third.receive().error_code == 0


def test_an_address_at_its_limit_is_turned_away() -> None:
    with Broker(config={"max.connections.per.ip": 5, "max.connections.per.ip.overrides": "127.0.0.1:1"}) as broker:
        address = broker.bootstrap_servers
        with Connection(address) as first:
            assert serves(first)
            with Connection(address) as second:
                second.wait_closed()
            assert serves(first)
