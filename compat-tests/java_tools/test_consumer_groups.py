"""`kafka-consumer-groups` prints against this broker what it prints against Apache Kafka, to the letter.

consumer_groups.txt is what it printed against Apache Kafka, and is written anew by

    pytest compat-tests/java_tools -k transcript --broker kafka --record
"""

import re
import subprocess
from pathlib import Path

import pytest
from benchmarks.peers import Broker
from confluent_kafka.admin import AdminClient

from compat_support.client import WAIT_S, Client, Patient, ProduceOptions, Record, connect
from compat_support.groups import MemberOptions, Running, shared, until
from compat_support.transcript import Session
from confluent_kafka import ConsumerGroupState

TRANSCRIPT = Path(__file__).with_name("consumer_groups.txt")
COMMAND = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
TOPIC = "orders"
PARTITIONS = 3
RECORDS = 10
"""In each partition."""
HEADINGS = ("GROUP ", "TOPIC ")
BLOTS = (
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), lambda found: "x" * len(found[0])),
    (re.compile(r"(?<!\S)[\w+/-]{22}(?!\S)"), lambda found: "x" * len(found[0])),
    (re.compile(r"127\.0\.0\.1:\d{5}( +)\(\d\)"), lambda found: f"127.0.0.1:PORT.{found[1]}(1)"),
)


def open_session(tools: "subprocess.Popen[str]", broker: Broker) -> Session:
    return Session(tools, broker.bootstrap, "kafka-consumer-groups", COMMAND, HEADINGS, BLOTS)


def test_transcript(tools: "subprocess.Popen[str]", broker: Broker, pytestconfig: pytest.Config) -> None:
    client: Client = Patient(connect("confluent_kafka", broker.bootstrap))
    client.create_topic(TOPIC, partitions=PARTITIONS)
    for partition in range(PARTITIONS):
        records = [Record(None, b"%d" % number, timestamp_ms=1_700_000_000_000 + number) for number in range(RECORDS)]
        client.produce(TOPIC, records, ProduceOptions(), partition=partition)
    session = open_session(tools, broker)
    session.type("--describe --group nobody")
    session.type("--list")
    for protocol in ("classic", "consumer"):
        with_members(session, broker.bootstrap, protocol)
        without_members(session, protocol)
    session.type("--list")
    session.type("--delete --all-groups")
    session.type("--list --state")
    session.check(TRANSCRIPT, pytestconfig)


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
