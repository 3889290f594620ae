from __future__ import annotations

import re
from pathlib import Path

import pytest

import ottla
from ottla.config import registry
from ottla.config.acted_on import ACTED_ON
from ottla.config.definition import ConfigError
from ottla.config.listeners import Endpoint, SecurityProtocol, Voter
from ottla.config.load import EMBEDDED, Loaded, load, not_acted_on, resolve
from ottla.config.properties import Setting


def _resolve(**settings: str) -> Loaded:
    ground = {"process.roles": "broker,controller", "node.id": "1", "controller.listener.names": "CONTROLLER"}
    written = ground | {name.replace("_", "."): text for name, text in settings.items()}
    return resolve([Setting(name, text, f"file:{line}") for line, (name, text) in enumerate(written.items(), 1)])


def test_the_embedded_default_serves_this_machine() -> None:
    loaded = load(None)
    assert loaded.warnings == ()
    node = loaded.node
    assert (node.id, node.is_broker, node.is_controller) == (1, True, True)
    assert node.listeners.broker == (Endpoint("PLAINTEXT", "127.0.0.1", 9092, SecurityProtocol.PLAINTEXT),)
    assert node.listeners.controller == ()
    assert node.listeners.advertised == {}
    assert node.listeners.inter_broker == "PLAINTEXT"
    assert loaded.config.integer("offsets.topic.replication.factor") == 1
    assert loaded.config.log_dirs == ("data",)
    assert loaded.config.metadata_log_dir == "data"


def test_the_command_line_is_stronger_than_the_file(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    path.write_text("process.roles=broker,controller\nnode.id=7\ncontroller.listener.names=C\nnum.partitions=3\n")
    loaded = load(path, ["num.partitions=5"])
    assert loaded.config.integer("num.partitions") == 5
    assert loaded.config.node_id == loaded.config.integer("broker.id") == 7


def test_an_error_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    path.write_text(
        "# mine\n\nnode.id=1\nprocess.roles=broker,controller\ncontroller.listener.names=C\nnum.partitions=x"
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    expected = "Invalid value x for configuration num.partitions: Not a number of type INT"
    assert str(caught.value) == f"{path}:6: {expected}"


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve([Setting("process.roles", "broker", "f:1")])
    assert str(caught.value).startswith('Missing required configuration "')


def test_what_is_not_utf8_is_said(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    path.write_bytes(b"a=\xff")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 2"):
        load(path)


def test_an_unknown_key_is_a_warning_with_a_guess() -> None:
    loaded = _resolve(num_netwrok_threads="4", rsm_config_bucket="b", zzzz="1")
    assert loaded.warnings == (
        "file:4: unknown configuration num.netwrok.threads; did you mean num.network.threads?",
        "file:6: unknown configuration zzzz",
    )


def test_known_keys_that_are_not_heeded_are_said_once() -> None:
    loaded = _resolve(num_io_threads="4", queued_max_requests="500", num_partitions="2", background_threads="3")
    assert loaded.warnings == ("known, but without effect in this version: background.threads, num.io.threads",)
    assert not_acted_on(loaded.config, ["num.partitions", "num.io.threads"], {"num.io.threads"}) == ("num.partitions",)


def test_what_is_acted_on_is_what_modules_read() -> None:
    getter = re.compile(r"\.(?:boolean|integer|optional_integer|real|text|optional_text|words)\(\s*\"([a-z.]+)\"")
    package = Path(ottla.__file__).parent
    read = {
        name
        for path in package.rglob("*.py")
        if "config" not in path.relative_to(package).parts
        for name in getter.findall(path.read_text())
        if name in registry.BROKER
    }
    assert read
    assert read <= ACTED_ON
    assert registry.BROKER.keys() >= ACTED_ON


def test_dynamic_only_keys_cannot_stand_in_a_file() -> None:
    loaded = _resolve(leader_replication_throttled_rate="5")
    assert loaded.warnings[0].startswith("file:4: unknown configuration leader.replication.throttled.rate")


def test_listeners_of_every_kind() -> None:
    loaded = _resolve(
        listeners="internal://[::1]:0,OUT://:9093,CONTROLLER://10.0.0.1:9094",
        listener_security_protocol_map="INTERNAL:PLAINTEXT,OUT:SASL_SSL,CONTROLLER:PLAINTEXT",
        inter_broker_listener_name="internal",
        advertised_listeners="OUT://broker.example:443",
    )
    listeners = loaded.node.listeners
    assert listeners.broker == (
        Endpoint("INTERNAL", "::1", 0, SecurityProtocol.PLAINTEXT),
        Endpoint("OUT", "", 9093, SecurityProtocol.SASL_SSL),
    )
    assert [str(endpoint) for endpoint in listeners.broker] == ["INTERNAL://[::1]:0", "OUT://:9093"]
    assert listeners.controller == (Endpoint("CONTROLLER", "10.0.0.1", 9094, SecurityProtocol.PLAINTEXT),)
    assert listeners.advertised["OUT"].host == "broker.example"
    assert listeners.inter_broker == "INTERNAL"


def test_a_lone_listener_of_any_name_will_do() -> None:
    loaded = _resolve(listeners="MINE://:0", listener_security_protocol_map="MINE:PLAINTEXT,CONTROLLER:PLAINTEXT")
    assert loaded.node.listeners.inter_broker == "MINE"


MAPPED = "PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"listeners": "PLAINTEXT://a:1,PLAINTEXT://b:2"}, "Each listener must have a different name"),
        (
            {"listeners": "PLAINTEXT://a:1,SSL://b:1", "listener.security.protocol.map": MAPPED},
            "must have a different port",
        ),
        ({"listeners": "PLAINTEXT://a"}, "Unable to parse PLAINTEXT://a to a broker endpoint"),
        ({"listeners": "PLAINTEXT://a:99999"}, "Unable to parse"),
        ({"listeners": "MINE://a:1"}, "No security protocol defined for listener MINE"),
        ({"listeners": ""}, "Configuration 'listeners' must not be empty"),
        ({"listeners": "CONTROLLER://a:1"}, "There must be at least one broker advertised listener"),
        ({"advertised.listeners": "PLAINTEXT://0.0.0.0:1"}, "nonroutable meta-address 0.0.0.0"),
        ({"advertised.listeners": "SSL://a:1"}, "advertised.listeners listener names must be equal to or a subset"),
        ({"inter.broker.listener.name": "NONE"}, "not found in listener.security.protocol.map"),
        ({"inter.broker.listener.name": "SSL"}, "must be a listener name defined in advertised.listeners"),
        ({"security.inter.broker.protocol": "SSL"}, "must be a listener name defined in advertised.listeners"),
        ({"listener.security.protocol.map": "A:B"}, "Invalid security protocol `B`"),
        ({"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT"}, "Controller listener with name CONTROLLER"),
        ({"process.roles": "broker"}, "either controller.quorum.bootstrap.servers must contain"),
        ({"process.roles": "king"}, "String must be one of: broker, controller"),
        ({"process.roles": "controller"}, "either controller.quorum.bootstrap.servers must contain"),
        (
            {"process.roles": "controller", "controller.quorum.voters": "1@a:1"},
            "must contain at least one value appearing in the 'listeners'",
        ),
        ({"controller.quorum.voters": "2@a:1"}, "the node id 1 must be included in the set of voters"),
        ({"controller.quorum.voters": "1@a"}, "in the form `{id}@{host}:{port}`"),
        (
            {"controller.quorum.bootstrap.servers": "a:1"},
            "must contain at least one value appearing in the 'listeners'",
        ),
        ({"broker.id": "2"}, "must be set to the same value"),
        ({"node.id": "-1"}, "Value must be at least 0"),
        ({"log.retention.ms": "0"}, "log.retention.ms must be unlimited"),
        ({"log.roll.ms": "0"}, "log.roll.ms must be greater"),
        ({"log.dirs": ""}, "Configuration 'log.dirs' must not be empty"),
        ({"cordoned.log.dirs": "/nowhere"}, "Missing entries : /nowhere"),
        ({"group.consumer.session.timeout.ms": "1"}, "must be greater than or equal to group.consumer.min"),
        ({"offsets.topic.compression.codec": "5"}, "Unknown compression type id: 5"),
        ({"offsets.topic.compression.codec": "-1"}, "3 (lz4) or 4 (zstd)"),
        ({"replica.fetch.wait.max.ms": "40000"}, "replica.socket.timeout.ms should always be"),
        ({"max.connections.per.ip": "0"}, "only if max.connections.per.ip.overrides"),
        ({"queued.max.request.bytes": "1"}, "larger or equal to socket.request.max.bytes"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _resolve(**{name.replace(".", "_"): text for name, text in settings.items()})
    assert words in str(caught.value)


def test_a_node_of_a_larger_quorum_opens_its_controller_listener() -> None:
    loaded = _resolve(
        listeners="PLAINTEXT://:9092,CONTROLLER://:9093",
        controller_quorum_voters="1@localhost:9093,2@[::1]:9093",
    )
    assert loaded.node.voters == (Voter(1, "localhost", 9093), Voter(2, "::1", 9093))
    assert len(loaded.node.listeners.controller) == 1


def test_the_embedded_default_says_nothing_twice() -> None:
    assert len({name for name, _ in EMBEDDED}) == len(EMBEDDED)
