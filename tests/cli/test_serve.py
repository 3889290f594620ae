"""`ottla serve` from its start to its end: what it says, what it refuses, what signals do, what a restart keeps."""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path

import pytest

from tests.cli.run import run
from tests.cli.serving import Ended, Serving, serve

LINE = re.compile(
    r"ottla serves (?P<where>\S+) · cluster (?P<cluster>[\w-]{22})(?P<new>, new)? · (?P<partitions>\d+) partitions"
    r"(, [\d,]+ bytes checked)? · data in (?P<data>\S+) · ready in \d+ ms\n"
)
KAFKA_PROPERTIES = """\
# The lines of the server.properties that comes with Kafka 4.4.
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=kraft-combined-logs
num.partitions=2
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with Serving(tmp_path / "data") as broker:
        said = LINE.fullmatch(broker.line)
        assert said is not None, broker.line
        assert said["new"]
        assert said["data"] == str(tmp_path / "data")
        ready = broker.ready
        assert said["where"] == f"PLAINTEXT://{ready['bootstrap_servers']}"
        assert (ready["cluster_id"], ready["node_id"]) == (said["cluster"], 1)
        assert not (broker.data_dir / ".kafka_cleanshutdown").exists()
        assert broker.end(number) == Ended(0, "", "")
        assert (broker.data_dir / ".kafka_cleanshutdown").exists()
        assert not broker.ready_file.exists()


def test_a_restart_keeps_topics_and_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Serving(tmp_path / "data") as broker:
        first = LINE.fullmatch(broker.line)
        to = ("-b", broker.bootstrap)
        assert run(monkeypatch, "topics", "create", "orders", "-p", "2", *to).code == 0
        assert run(monkeypatch, "produce", "orders", "-p", "1", *to, stdin=b"one\ntwo\n").code == 0
        assert broker.end().code == 0
    # What a clean stop leaves: what was acknowledged is flushed, and the producer is remembered.
    assert "orders 1 2\n" in (tmp_path / "data" / "recovery-point-offset-checkpoint").read_text()
    assert (tmp_path / "data" / "orders-1" / f"{2:020}.snapshot").exists()
    with Serving(tmp_path / "data") as broker:
        again = LINE.fullmatch(broker.line)
        assert first is not None
        assert again is not None
        assert (again["cluster"], again["new"], again["partitions"]) == (first["cluster"], None, "2")
        to = ("-b", broker.bootstrap)
        assert run(monkeypatch, "consume", "orders", "-e", "-f", r"%p %o %s\n", *to).out == "1 0 one\n1 1 two\n"
        assert run(monkeypatch, "produce", "orders", "-p", "1", "--json", *to, stdin=b"three\n").code == 0
        assert run(monkeypatch, "consume", "orders", "-e", "-o", "2", "-p", "1", *to).out == "three\n"
        assert broker.end().code == 0


def test_a_second_broker_on_the_directory_is_refused(tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as broker:
        ended = serve("--data-dir", str(broker.data_dir), "--listen", "PLAINTEXT://127.0.0.1:0")
        assert (ended.code, ended.out) == (1, "")
        assert ended.err.startswith(f"ottla serve: log directory {broker.data_dir} is in use by another broker")
        assert str(broker.ready["pid"]) in ended.err
        assert broker.end().code == 0


def test_a_directory_of_another_node_is_refused(tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as broker:
        broker.end()
    ended = serve("--data-dir", str(tmp_path / "data"), "--listen", "PLAINTEXT://127.0.0.1:0", "--set", "node.id=7")
    path = tmp_path / "data" / "meta.properties"
    assert ended == Ended(
        1,
        "",
        f"ottla serve: {path} belongs to node 1, this is node 7: set node.id, or use another data directory\n",
    )


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear")
    ended = serve("--data-dir", str(tmp_path), "--listen", "PLAINTEXT://127.0.0.1:0")
    assert ended.code == 1
    assert "is not empty (letter.txt): it is no data directory of a broker" in ended.err
    assert (tmp_path / "letter.txt").read_text() == "Dear"


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = serve("--data-dir", str(tmp_path / "data"), "--listen", f"PLAINTEXT://127.0.0.1:{port}")
    assert ended == Ended(
        1,
        "",
        f"ottla serve: cannot listen on PLAINTEXT://127.0.0.1:{port}: Address already in use · is another broker "
        "running there? choose another port with --listen, or 0 for any\n",
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "num.partitions=x"], "--set num.partitions: Invalid value x for configuration num.partitions"),
        (["--set", "num.partitions"], "--set num.partitions: expected key=value"),
        (
            ["--listen", "here"],
            "--listen: Error creating broker listeners from 'here' (listeners): Unable to parse here",
        ),
        (["--config", "/nowhere/server.properties"], "cannot read /nowhere/server.properties: No such file"),
    ],
)
def test_a_configuration_that_cannot_be_is_a_usage_error(arguments: list[str], words: str) -> None:
    ended = serve(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"ottla serve: {words}")


SSL = ("--set", "listener.security.protocol.map=CONTROLLER:PLAINTEXT,SSL:SSL", "--listen", "SSL://127.0.0.1:0")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (SSL, "listener SSL is SSL: this release serves PLAINTEXT listeners alone"),
        (("--set", "authorizer.class.name=Some"), "authorizer.class.name is Some: this release lets everybody do"),
        (
            ("--set", "controller.quorum.voters=2@localhost:9094", "--set", "process.roles=broker"),
            "process.roles must be broker,controller: this release runs one node that is both",
        ),
        (("--set", "log.dirs=one,two"), "log.dirs names 2 directories (one, two): this release keeps its logs in one"),
        (("--set", "metadata.log.dir=other"), "metadata.log.dir is another directory than log.dirs"),
    ],
)
def test_what_this_release_cannot_do_is_not_served_as_less(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    ended = serve("--data-dir", str(tmp_path / "data"), *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"ottla serve: {words}")
    assert not (tmp_path / "data").exists()


def test_a_bad_value_is_found_by_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    path.write_text(KAFKA_PROPERTIES.replace("num.partitions=2", "num.partitions=none"))
    line = path.read_text().splitlines().index("num.partitions=none") + 1
    ended = serve("--config", str(path))
    assert ended == Ended(
        2,
        "",
        f"ottla serve: {path}:{line}: Invalid value none for configuration num.partitions: Not a number of type INT\n",
    )


def test_an_unknown_key_is_said_and_served_all_the_same(tmp_path: Path) -> None:
    with Serving(tmp_path / "data", "--set", "log.retention.hour=7", "--log-format", "json") as broker:
        ended = broker.end()
    assert ended.code == 0
    line = json.loads(ended.err)
    assert (line["level"], line["node"]) == ("warning", 1)
    assert line["event"] == (
        "--set log.retention.hour: unknown configuration log.retention.hour; did you mean log.retention.hours?"
    )


def test_a_server_properties_of_kafka_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "server.properties"
    # Without the one line that names ports to clients: a test takes any port.
    lines = KAFKA_PROPERTIES.splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith("advertised.listeners")))
    with Serving(
        tmp_path / "data",
        *("--config", str(path), "--set", "num.partitions=5", "--set", "node.id=3"),
        listen="PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
    ) as broker:
        assert broker.ready["node_id"] == 3
        created = run(monkeypatch, "topics", "create", "orders", "--json", "-b", broker.bootstrap)
        assert json.loads(created.out)["partitions"] == 5
        ended = broker.end()
    assert ended.code == 0
    assert "Error" not in ended.err


def test_an_advertised_address_is_what_clients_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = "advertised.listeners=PLAINTEXT://127.0.0.1:1"
    with Serving(tmp_path / "data", "--set", told, "--set", "num.partitions=1") as broker:
        to = ("-b", broker.bootstrap, "--timeout", "2")
        assert run(monkeypatch, "topics", "create", "orders", *to).code == 0
        ended = run(monkeypatch, "produce", "orders", *to, stdin=b"one\n")
        assert ended.code == 3
        assert ended.err.startswith("ottla produce: cannot connect to 127.0.0.1:1: Connection refused\n")
        assert broker.end().code == 0
