"""`kafka-transactions` prints against this broker what it prints against Apache Kafka, to the letter.

transactions.txt is what it printed against Apache Kafka, and is written anew by

    pytest compat-tests/java_tools -k transactions_transcript --broker kafka --record
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.failure import Skipped
from benchmarks.peers import Broker, Peer, kafka
from benchmarks.peers.kafka import Kafka
from benchmarks.peers.ottla import Ottla

from compat_support.client import Patient, connect
from compat_support.java import start
from compat_support.transactions import open_transactor
from compat_support.transcript import Session

TRANSCRIPT = Path(__file__).with_name("transactions.txt")
COMMAND = "org.apache.kafka.tools.TransactionsCommand"
TOPIC = "orders"
BLOTS = (
    (re.compile(r"\b1[0-9]{12}\b"), lambda found: "T" * len(found[0])),  # milliseconds since 1970
    (re.compile(rf"(?<=\t)\d+ *(?=\t{TOPIC}-)"), lambda _found: "N"),  # and of how long it is open
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
    """One of its own: the tool lists all transactions. All are in one partition, for one order of them."""
    settings = {"transaction.state.log.num.partitions": "1"}
    found = (Kafka if isinstance(peer, Kafka) else Ottla)(settings).create(tmp_path / peer.name)
    try:
        found.start()
        yield found
    finally:
        found.stop()


def test_transactions_transcript(tools: "subprocess.Popen[str]", broker: Broker, pytestconfig: pytest.Config) -> None:
    Patient(connect("confluent_kafka", broker.bootstrap)).create_topic(TOPIC, partitions=2)
    session = Session(tools, broker.bootstrap, "kafka-transactions", COMMAND, ("Transactional", "Coordinator"), BLOTS)
    pay = open_transactor("confluent_kafka", broker.bootstrap, "pay")
    idle = open_transactor("confluent_kafka", broker.bootstrap, "idle")
    pay.begin()
    for partition in range(2):
        pay.send(TOPIC, partition, [b"1", b"2"])
    for line in (
        "list",
        "list --duration-filter 3600000",
        "list --transactional-id-pattern i.*",
        "list --transactional-id-pattern [",
        "describe --transactional-id pay",
        "describe --transactional-id idle",
        "describe --transactional-id nobody",
        f"describe-producers --topic {TOPIC} --partition 0",
        f"describe-producers --topic {TOPIC} --partition 0 --broker-id 1",
        f"find-hanging --topic {TOPIC} --max-transaction-timeout 0",
        "find-hanging --broker-id 1",
        f"abort --topic {TOPIC} --partition 1 --start-offset 1",
        f"abort --topic {TOPIC} --partition 1 --start-offset 0",
        f"describe-producers --topic {TOPIC} --partition 1",
        "list",
    ):
        session.type(line)
    for each in (pay, idle):
        each.close()
    record: bool = pytestconfig.getoption("--record")
    assert not record or pytestconfig.getoption("--broker") == "kafka", "the transcript is Apache Kafka's"
    session.check(TRANSCRIPT, record=record)
