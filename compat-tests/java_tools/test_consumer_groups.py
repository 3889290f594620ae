"""`kafka-consumer-groups` prints against this broker what it prints against Apache Kafka, to the letter.

consumer_groups.txt is what it printed against Apache Kafka, and is written anew by

    pytest compat-tests/java_tools -k transcript --broker kafka --record

What differs from run to run is blotted out, and rows are sorted where the tool has them in the order of a hash table.
"""

import base64
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import final

import pytest
from benchmarks.failure import Skipped
from benchmarks.peers import Broker, Peer, kafka
from confluent_kafka.admin import AdminClient

from compat_support.client import WAIT_S, Client, Patient, ProduceOptions, Record, connect
from compat_support.groups import MemberOptions, Running, shared, until
from compat_support.java import start
from confluent_kafka import ConsumerGroupState

TRANSCRIPT = Path(__file__).with_name("consumer_groups.txt")
COMMAND = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
TOPIC = "orders"
PARTITIONS = 3
RECORDS = 10
"""In each partition."""
HEADINGS = ("GROUP ", "TOPIC ")
TRACE = ("\tat ", "Caused by: ", "java.util.concurrent.ExecutionException: ")
BLOTS = (
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), lambda found: "x" * len(found[0])),
    (re.compile(r"(?<!\S)[\w+/-]{22}(?!\S)"), lambda found: "x" * len(found[0])),
    (re.compile(r"127\.0\.0\.1:\d{5}( +)\(\d\)"), lambda found: f"127.0.0.1:PORT.{found[1]}(1)"),
)


@pytest.fixture
def tools() -> Iterator["subprocess.Popen[str]"]:
    try:
        process = start(Path(__file__).with_name("Tools.java"), kafka.tool_jars())
    except Skipped as why:
        pytest.skip(str(why))
    with process:
        yield process
        process.kill()


@pytest.fixture
def broker(peer: Peer, tmp_path: Path) -> Iterator[Broker]:
    """One of its own: the tool lists all groups, in columns as wide as the longest name."""
    found = peer.create(tmp_path / peer.name)
    try:
        found.start()
        yield found
    finally:
        found.stop()


@final
class Session:
    """What a person types, and what the tool answers."""

    def __init__(self, tools: "subprocess.Popen[str]", bootstrap: str) -> None:
        self._tools = tools
        self._bootstrap = bootstrap
        self._said: list[str] = []

    def type(self, line: str) -> None:
        assert self._tools.stdin is not None
        assert self._tools.stdout is not None
        words = [COMMAND, "--bootstrap-server", self._bootstrap, *line.split()]
        self._tools.stdin.write("\t".join(words) + "\n")
        self._tools.stdin.flush()
        printed = base64.b64decode(self._tools.stdout.readline()).decode()
        self._said += [f"$ kafka-consumer-groups {line}", *lines(printed), ""]

    @property
    def text(self) -> str:
        return "\n".join(self._said)


def lines(printed: str) -> list[str]:
    """Blotted, without empty lines and Java's stack traces, and with the rows below each heading sorted."""
    for pattern, blot in BLOTS:
        printed = pattern.sub(blot, printed)
    out: list[str] = []
    table = False
    rows: list[str] = []
    for line in (line.rstrip() for line in printed.splitlines()):
        if line.startswith(TRACE):
            continue
        if not line or line.startswith(HEADINGS):
            out += sorted(rows)
            rows = []
            table = line.startswith(HEADINGS)
            out += [line] if line else []
        elif table:
            rows.append(line)
        else:
            out.append(line)
    return out + sorted(rows)


def test_transcript(tools: "subprocess.Popen[str]", broker: Broker, pytestconfig: pytest.Config) -> None:
    client: Client = Patient(connect("confluent_kafka", broker.bootstrap))
    client.create_topic(TOPIC, partitions=PARTITIONS)
    for partition in range(PARTITIONS):
        records = [Record(None, b"%d" % number, timestamp_ms=1_700_000_000_000 + number) for number in range(RECORDS)]
        client.produce(TOPIC, records, ProduceOptions(), partition=partition)
    session = Session(tools, broker.bootstrap)
    session.type("--describe --group nobody")
    session.type("--list")
    for protocol in ("classic", "consumer"):
        with_members(session, broker.bootstrap, protocol)
        without_members(session, protocol)
    session.type("--list")
    session.type("--delete --all-groups")
    session.type("--list --state")
    if pytestconfig.getoption("--record"):
        assert pytestconfig.getoption("--broker") == "kafka", "the transcript is Apache Kafka's"
        TRANSCRIPT.write_text(session.text)
    assert session.text == TRANSCRIPT.read_text()


def with_members(session: Session, bootstrap: str, group: str) -> None:
    options = MemberOptions(group=group, topics=(TOPIC,), protocol=group, auto_commit=False)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    with Running("confluent_kafka", bootstrap, options) as one:
        until(lambda: len(one.received) >= PARTITIONS * RECORDS, "one has read all", [one])
        one.commit()
        with Running("confluent_kafka", bootstrap, options) as two:
            members = [one, two]
            until(lambda: shared(members, PARTITIONS), "two share", members)
            until(lambda: stable(admin, group), "the group is stable", members)
            describe_all(session, group)


def stable(admin: AdminClient, group: str) -> bool:
    """Not before the broker has heard of its members that they have what they are to have."""
    listed = admin.list_consumer_groups().result(WAIT_S)
    return any(each.group_id == group and each.state == ConsumerGroupState.STABLE for each in listed.valid)


def describe_all(session: Session, group: str) -> None:
    for what in ("", " --offsets --verbose", " --members", " --members --verbose", " --state", " --state --verbose"):
        session.type(f"--describe --group {group}{what}")
    session.type("--list --state")
    session.type("--list --type")
    session.type("--list --state stable,empty")
    session.type(f"--list --type {group}")
    session.type(f"--delete --group {group}")
    session.type(f"--reset-offsets --group {group} --topic {TOPIC} --to-earliest --execute")
    session.type(f"--delete-offsets --group {group} --topic {TOPIC}")


def without_members(session: Session, group: str) -> None:
    session.type(f"--describe --group {group}")
    session.type(f"--describe --group {group} --members")
    session.type(f"--describe --group {group} --state")
    reset = f"--reset-offsets --group {group}"
    session.type(f"{reset} --topic {TOPIC} --to-earliest --dry-run")
    session.type(f"{reset} --topic {TOPIC}:0,1 --shift-by -3 --execute")
    session.type(f"{reset} --all-topics --to-datetime 2023-11-14T22:13:20.004 --execute")
    session.type(f"{reset} --all-topics --to-current --export --dry-run")
    session.type(f"{reset} --topic {TOPIC}:2 --to-offset 99 --execute")
    session.type(f"{reset} --topic other --to-latest --execute")
    session.type(f"--describe --group {group} --offsets")
    session.type(f"--delete-offsets --group {group} --topic {TOPIC}:1")
    session.type(f"--delete-offsets --group {group} --topic {TOPIC}:1 --topic other")
    session.type(f"--describe --group {group}")
    session.type("--describe --all-groups --state")
    session.type("--delete --group nobody")
    session.type("--list --state")
