"""Each command of `ottla` against a broker that runs: what it prints for people and for programs, and how it ends."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from pathlib import Path
from typing import Any, Protocol

import pytest

from ottla.testing import Broker
from ottla.testing.pytest_plugin import TopicFactory
from tests.cli.run import Ended, run


class Ottla(Protocol):
    """`ottla ARGUMENTS` against the broker of the session."""

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Ended: ...


@pytest.fixture
def ottla(kafka_broker_session: Broker, monkeypatch: pytest.MonkeyPatch) -> Ottla:
    def command(*arguments: str, stdin: bytes = b"") -> Ended:
        return run(monkeypatch, *arguments, "-b", kafka_broker_session.bootstrap_servers, stdin=stdin)

    return command


def _lines(ended: Ended) -> list[Any]:
    assert (ended.code, ended.err) == (0, "")
    return [json.loads(line) for line in ended.out.splitlines()]


# --- topics ---------------------------------------------------------------------------------------------------------


def test_the_life_of_a_topic(ottla: Ottla) -> None:
    created = ottla("topics", "create", "life", "-p", "2", "-c", "retention.ms=60000")
    assert created == Ended(0, "created life: 2 partitions, 1 replica each\n", "")
    assert "life" in [line.split()[0] for line in ottla("topics", "list").out.splitlines()]
    assert ottla("topics", "add-partitions", "life", "3") == Ended(0, "life has 3 partitions\n", "")
    (described,) = _lines(ottla("topics", "describe", "life", "--json"))
    assert described["settings"] == {"retention.ms": "60000"}
    assert [partition["partition"] for partition in described["partitions"]] == [0, 1, 2]
    assert described["partitions"][0] == {
        "partition": 0,
        "leader": 1,
        "leader_epoch": 0,
        "replicas": [1],
        "isr": [1],
        "offline": [],
        "start_offset": 0,
        "end_offset": 0,
    }
    shown = ottla("topics", "describe", "life").out.splitlines()
    assert shown[0] == f"life  id {described['id']}"
    assert shown[1] == "  retention.ms = 60000"
    assert shown[2].split() == ["PARTITION", "LEADER", "EPOCH", "REPLICAS", "ISR", "OFFLINE", "START", "END"]
    assert ottla("topics", "delete", "life") == Ended(0, "deleted life\n", "")
    assert ottla("topics", "describe", "life").code == 1


def test_topics_for_programs(ottla: Ottla) -> None:
    created = _lines(ottla("topics", "create", "json-a", "json-b", "-p", "2", "--json"))
    assert [(line["topic"], line["created"], line["partitions"]) for line in created] == [
        ("json-a", True, 2),
        ("json-b", True, 2),
    ]
    listed = {line["topic"]: line for line in _lines(ottla("topics", "list", "--json"))}
    assert listed["json-a"] == {
        "topic": "json-a",
        "id": created[0]["id"],
        "internal": False,
        "partitions": 2,
        "replication_factor": 1,
    }
    assert _lines(ottla("topics", "add-partitions", "json-a", "4", "--json")) == [{"topic": "json-a", "partitions": 4}]
    deleted = _lines(ottla("topics", "delete", "json-a", "json-b", "--json"))
    assert deleted == [{"topic": "json-a", "deleted": True}, {"topic": "json-b", "deleted": True}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("create", "{topic}"),
            "ottla topics create: {topic}: TOPIC_ALREADY_EXISTS: Topic '{topic}' already exists.\n"
            "  --if-not-exists takes that for success\n",
        ),
        (
            ("create", "a b"),
            "ottla topics create: a b: INVALID_TOPIC_EXCEPTION: Topic name is invalid: 'a b' contains one or more "
            "characters other than ASCII alphanumerics, '.', '_' and '-'\n",
        ),
        (
            ("create", "never", "-c", "retention=1"),
            "ottla topics create: never: INVALID_CONFIG: Unknown topic config name: retention\n",
        ),
        (
            ("create", "never", "-r", "2"),
            "ottla topics create: never: INVALID_REPLICATION_FACTOR: Unable to replicate the partition 2 time(s): "
            "The target replication factor of 2 cannot be reached because only 1 broker(s) are registered or "
            "some brokers have all their log directories cordoned.\n"
            "  there must be at least as many brokers as replicas\n",
        ),
        (
            ("add-partitions", "{topic}", "1"),
            "ottla topics add-partitions: {topic}: INVALID_PARTITIONS: Topic already has 1 partition(s).\n",
        ),
        (
            ("delete", "no-such"),
            "ottla topics delete: no-such: UNKNOWN_TOPIC_OR_PARTITION: This server does not host this "
            "topic-partition.\n  ottla topics list shows what there is\n",
        ),
        (
            ("describe", "no-such"),
            "ottla topics describe: no-such: UNKNOWN_TOPIC_OR_PARTITION\n  ottla topics list shows what there is\n",
        ),
    ],
)
def test_what_the_broker_refuses(
    ottla: Ottla, kafka_topic: TopicFactory, arguments: tuple[str, ...], message: str
) -> None:
    topic = kafka_topic()
    ended = ottla("topics", *(argument.format(topic=topic) for argument in arguments))
    assert ended == Ended(1, "", message.format(topic=topic))


def test_what_is_there_or_gone_already_may_be_fine(ottla: Ottla, kafka_topic: TopicFactory) -> None:
    topic = kafka_topic()
    assert ottla("topics", "create", topic, "--if-not-exists") == Ended(0, "", "")
    assert ottla("topics", "delete", "no-such", "--if-exists") == Ended(0, "", "")
    (refused,) = [json.loads(line) for line in ottla("topics", "create", topic, "--json").out.splitlines()]
    assert (refused["created"], refused["error"]) == (False, "TOPIC_ALREADY_EXISTS")


# --- produce, consume -----------------------------------------------------------------------------------------------


def test_keys_headers_and_nulls_make_the_way_there_and_back(ottla: Ottla, kafka_topic: TopicFactory) -> None:
    topic = kafka_topic()
    produced = ottla(
        *("produce", topic, "-K", ":", "-Z", "-H", "source=test", "-H", "flag", "--json"),
        stdin=b"k1:one\nk2:\nno key\n:empty\n",
    )
    (summary,) = _lines(produced)
    assert (summary["topic"], summary["records"], summary["next_offsets"]) == (topic, 4, {"0": 4})
    records = _lines(ottla("consume", topic, "-e", "--json"))
    assert [(record["offset"], record["key"], record["value"]) for record in records] == [
        (0, "k1", "one"),
        (1, "k2", None),
        (2, None, "no key"),
        (3, None, "empty"),
    ]
    assert all(record["headers"] == [["source", "test"], ["flag", None]] for record in records)
    shown = ottla("consume", topic, "-e", "-c", "2", "-f", r"%t %p %o %k=%s %K %S %%\n").out
    assert shown == f"{topic} 0 0 k1=one 2 3 %\n{topic} 0 1 k2= 2 -1 %\n"


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_every_codec_and_acknowledgement(ottla: Ottla, kafka_topic: TopicFactory, codec: str, acks: str) -> None:
    topic = kafka_topic()
    lines = b"".join(b"line %d\n" % number for number in range(500))
    assert ottla("produce", topic, "-z", codec, "-a", acks, stdin=lines) == Ended(0, "", "")
    assert ottla("consume", topic, "-c", "500").out.encode() == lines


@pytest.mark.parametrize(
    ("where", "seen"),
    [
        ("beginning", "0123"),
        ("end", ""),
        ("2", "23"),
        ("-1", "3"),
        ("-9", "0123"),
        ("@0", "0123"),
        ("@4102444800000", ""),
    ],
)
def test_where_to_begin(ottla: Ottla, kafka_topic: TopicFactory, where: str, seen: str) -> None:
    topic = kafka_topic()
    assert ottla("produce", topic, stdin=b"0\n1\n2\n3\n").code == 0
    assert ottla("consume", topic, "-e", f"-o={where}", "-f", "%s") == Ended(0, seen, "")


def test_one_partition_of_several(ottla: Ottla, kafka_topic: TopicFactory) -> None:
    topic = kafka_topic(partitions=3)
    for partition in ("0", "1", "2"):
        assert ottla("produce", topic, "-p", partition, stdin=partition.encode()).code == 0
    assert ottla("consume", topic, "-e", "-p", "2", "-p", "0", "-f", "%p%s ").out.split() == ["00", "22"]


def test_keys_go_where_the_clients_of_kafka_send_them(ottla: Ottla, kafka_topic: TopicFactory) -> None:
    topic = kafka_topic(partitions=3)
    assert ottla("produce", topic, "-K", ":", stdin=b"a:1\nb:1\na:2\nb:2\na:3\n").code == 0
    records = _lines(ottla("consume", topic, "-e", "--json"))
    assert [record["value"] for record in records if record["key"] == "a"] == ["1", "2", "3"]
    assert len({record["partition"] for record in records if record["key"] == "a"}) == 1


@pytest.mark.parametrize("command", ["produce", "consume"])
def test_a_topic_that_is_not_there(ottla: Ottla, command: str) -> None:
    assert ottla(command, "no-such", stdin=b"x\n") == Ended(
        1, "", f"ottla {command}: there is no topic no-such\n  create it: ottla topics create no-such\n"
    )


def test_a_topic_that_the_broker_creates(ottla: Ottla) -> None:
    assert ottla("produce", "made-on-the-way", "--create", stdin=b"x\n") == Ended(0, "", "")
    assert ottla("consume", "made-on-the-way", "-e").out == "x\n"
    assert ottla("topics", "delete", "made-on-the-way").code == 0


def test_an_offset_that_is_not_there(ottla: Ottla, kafka_topic: TopicFactory) -> None:
    topic = kafka_topic()
    assert ottla("consume", topic, "-e", "-o", "5") == Ended(
        1,
        "",
        f"ottla consume: {topic}-0 has no offset 5: it holds 0 to 0\n"
        "  -o beginning starts at the first one that is left\n",
    )


@pytest.mark.parametrize("command", ["produce", "consume"])
def test_a_partition_that_is_not_there(ottla: Ottla, kafka_topic: TopicFactory, command: str) -> None:
    topic = kafka_topic(partitions=2)
    assert ottla(command, topic, "-p", "2") == Ended(
        2, "", f"ottla {command}: {topic} has no partition 2: it has 2, counted from 0\n"
    )


def test_a_record_that_is_too_large(ottla: Ottla, kafka_topic: TopicFactory) -> None:
    topic = kafka_topic(config={"max.message.bytes": 1000})
    ended = ottla("produce", topic, stdin=b"small\n" + b"x" * 2000 + b"\n")
    assert ended.code == 1
    assert ended.err.startswith(f"ottla produce: {topic}-0: MESSAGE_TOO_LARGE: ")
    assert "(one record of 2.0 KiB)" in ended.err
    assert "raise max.message.bytes of the topic, or send smaller records" in ended.err
    assert ottla("consume", topic, "-e").out == "small\n"


# --- no broker --------------------------------------------------------------------------------------------------------

COMMANDS = [("topics", "list"), ("topics", "create", "t"), ("produce", "t"), ("consume", "t")]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    ended = run(monkeypatch, *arguments, "-b", f"127.0.0.1:{port}", stdin=b"x\n")
    assert ended == Ended(
        3,
        "",
        f"ottla {arguments[0]}: cannot connect to 127.0.0.1:{port}: Connection refused\n"
        "  is a broker listening there? (--bootstrap-server)\n",
    )


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", 1, "what listens at {address} is no Kafka broker, or wants TLS"),
        (b"", 3, "{address} closed the connection\n  its log may say why"),
    ],
)
def test_what_listens_is_no_broker(monkeypatch: pytest.MonkeyPatch, answer: bytes, code: int, message: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        thread = threading.Thread(target=_answer_once, args=(other, answer))
        thread.start()
        ended = run(monkeypatch, "topics", "list", "-b", address)
        thread.join()
    assert ended == Ended(code, "", f"ottla topics: {message.format(address=address)}\n")


def _answer_once(listening: socket.socket, answer: bytes) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)


def test_one_of_several_brokers_is_enough(kafka_broker_session: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    ended = run(monkeypatch, "topics", "list", "-b", f"127.0.0.1:{port},{kafka_broker_session.bootstrap_servers}")
    assert ended.code == 0


# --- inspect ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a broker left that had one topic with three records, and was stopped cleanly."""
    path = tmp_path_factory.mktemp("inspected") / "data"
    with pytest.MonkeyPatch.context() as patch, Broker(path) as broker:
        broker.create_topic("orders", 2)
        to = ("-b", broker.bootstrap_servers)
        assert run(patch, "produce", "orders", "-p", "1", "-K", ":", *to, stdin=b"a:1\nb:2\nc:3\n").code == 0
    return path


def test_inspect_a_directory(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = run(monkeypatch, "inspect", str(directory))
    assert (ended.code, ended.err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in ended.out.splitlines() if line}
    assert rows["orders-1"][-5:] == ["0", "3", "3", "1", "-"]
    facts = _lines(run(monkeypatch, "inspect", "--json", str(directory)))
    partitions = {fact["partition"]: fact for fact in facts if "partition" in fact}
    assert set(partitions) == {"__cluster_metadata-0", "orders-0", "orders-1"}
    assert (partitions["orders-1"]["records"], partitions["orders-1"]["problems"]) == (3, 0)


def test_inspect_a_segment(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = str(directory / "orders-1" / f"{0:020}.log")
    rows = _lines(run(monkeypatch, "inspect", "-r", "--json", segment))
    assert [(row["offset"], row["key"], row["value"]) for row in rows if "offset" in row] == [
        (0, "a", "1"),
        (1, "b", "2"),
        (2, "c", "3"),
    ]
    assert rows[-1]["facts"]["end_offset"] == 3
    metadata = run(monkeypatch, "inspect", "-r", str(directory / "__cluster_metadata-0" / f"{0:020}.log"))
    assert metadata.code == 0
    assert "TopicRecord v0" in metadata.out
    assert "name=orders" in metadata.out


def test_inspect_finds_a_changed_byte(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "data"
    shutil.copytree(directory, copy)
    segment = copy / "orders-1" / f"{0:020}.log"
    content = bytearray(segment.read_bytes())
    content[-2] ^= 1
    segment.write_bytes(content)
    ended = run(monkeypatch, "inspect", str(copy))
    assert ended.code == 1
    assert str(segment) in ended.err
    assert ended.err.endswith("1 problem found\n")
    (problem,) = [
        json.loads(line)
        for line in run(monkeypatch, "inspect", "--json", str(copy)).out.splitlines()
        if "problem" in json.loads(line)
    ]
    assert (problem["file"], problem["position"]) == (str(segment), 17)


def test_inspect_what_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "none"
    assert run(monkeypatch, "inspect", str(missing)) == Ended(1, "", f"ottla inspect: there is no {missing}\n")
    (letter := tmp_path / "letter.txt").write_text("Dear")
    assert run(monkeypatch, "inspect", str(letter)) == Ended(
        1, "", f"ottla inspect: {letter}: no file of a data directory has such a name\n"
    )
    assert run(monkeypatch, "inspect", str(tmp_path)).code == 1
