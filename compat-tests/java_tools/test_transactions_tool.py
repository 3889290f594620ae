"""`kafka-transactions` prints against this broker what it prints against Apache Kafka, to the letter.

transactions.txt is what it printed against Apache Kafka, and is written anew by

    pytest compat-tests/java_tools -k transactions_transcript --broker kafka --record
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from benchmarks.peers import Broker

from compat_support.client import Patient, connect
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
def settings() -> Mapping[str, str]:
    """All are in one partition, for one order of them."""
    return {"transaction.state.log.num.partitions": "1"}


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
    session.check(TRANSCRIPT, pytestconfig)
