"""What Kafka's tools, and `ottla transactions`, print of transactions that hang, and of offsets that wait for them.

hanging.txt is what they printed against Apache Kafka, and is written anew by

    pytest compat-tests/java_tools -k hanging --broker kafka --record
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from benchmarks.peers import Broker
from benchmarks.peers.ottla import command

from compat_support.client import WAIT_S, Patient, connect
from compat_support.hanging import Careless
from compat_support.transactions import Ended, open_transactor
from compat_support.transcript import Session
from ottla.errors import ErrorCode

TRANSCRIPT = Path(__file__).with_name("hanging.txt")
TRANSACTIONS = "org.apache.kafka.tools.TransactionsCommand"
GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
TOPIC, OFFSETS = "orders", "__consumer_offsets"
HEADINGS = ("Transactional", "Coordinator", "ProducerId", "Topic\t", "GROUP ", "TOPIC ")
BLOTS = (
    (re.compile(r"\b1[0-9]{12}\b"), lambda found: "T" * len(found[0])),  # milliseconds since 1970
    (re.compile(rf"(?<=\t)\d+ *(?=\t(?:{TOPIC}|{OFFSETS})-)"), lambda _found: "N"),  # of how long it is open
    (re.compile(r"(?<=T\t)\d+(?=\s*$)", re.MULTILINE), lambda _found: "N"),  # in minutes
    (re.compile(r"127\.0\.0\.1:\d{5}( +)\(\d\)"), lambda found: f"127.0.0.1:PORT.{found[1]}(1)"),
)


@pytest.fixture
def settings() -> Mapping[str, str]:
    """One order of all transactions, and of all groups; and nobody asks whether what is written is in one."""
    return {
        "transaction.state.log.num.partitions": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.partition.verification.enable": "false",
    }


@pytest.fixture
def careless(broker: Broker) -> Iterator[Careless]:
    Patient(connect("confluent_kafka", broker.bootstrap)).create_topic(TOPIC, partitions=4)
    with Careless(broker.bootstrap) as found:
        yield found


@pytest.fixture
def session(tools: "subprocess.Popen[str]", broker: Broker) -> Session:
    return Session(tools, broker.bootstrap, "kafka-transactions", TRANSACTIONS, HEADINGS, BLOTS)


def test_hanging_transcript(session: Session, careless: Careless, broker: Broker, pytestconfig: pytest.Config) -> None:
    groups = session.beside("kafka-consumer-groups", GROUPS)
    on_partitions(session, careless, broker)
    of_groups(session, groups, careless)
    ended_by_force(session, groups, broker)
    session.check(TRANSCRIPT, pytestconfig)


def on_partitions(session: Session, careless: Careless, broker: Broker) -> None:
    """`lost` is known and has nothing open; `half` has, but on another partition; of producer 4711 nobody knows."""
    lost = careless.init("lost")
    careless.init("half")
    half = careless.init("half")
    assert (lost, half) == ((0, 0), (1, 1))
    careless.write("lost", lost, TOPIC, 0, 3)
    careless.add("half", half, TOPIC, 1)
    careless.write("half", half, TOPIC, 1, 1)
    careless.write("half", half, TOPIC, 2, 2)
    careless.write("unheard-of", (4711, 0), TOPIC, 3, 1)
    session.type("list")
    session.type("describe --transactional-id half")
    session.type(f"find-hanging --topic {TOPIC}")
    session.type("find-hanging --broker-id 1")
    session.type(f"find-hanging --topic {TOPIC} --partition 1")
    session.type(f"find-hanging --topic {TOPIC} --max-transaction-timeout 60")
    type_ottla(session, broker, "find-hanging")
    for partition in range(4):
        session.type(f"describe-producers --topic {TOPIC} --partition {partition}")
        assert careless.last_stable_offset(TOPIC, partition) == 0

    where = f"abort --topic {TOPIC} --partition"
    session.type(f"{where} 0 --start-offset 5")
    session.type(f"{where} 0 --start-offset 0")
    session.type(f"{where} 0 --start-offset 0")
    session.type(f"{where} 2 --producer-id 1 --producer-epoch 1")
    session.type(f"{where} 2 --producer-id 1 --producer-epoch 0 --coordinator-epoch 0")
    session.type(f"{where} 2 --producer-id 1 --producer-epoch 1 --coordinator-epoch 7")
    session.type(f"{where} 2 --producer-id 1 --producer-epoch 1 --coordinator-epoch 6")
    type_ottla(session, broker, f"abort --topic {TOPIC}:1")
    type_ottla(session, broker, f"abort --topic {TOPIC}:3")
    session.type(f"find-hanging --topic {TOPIC}")
    for partition in (0, 2, 3):
        session.type(f"describe-producers --topic {TOPIC} --partition {partition}")
    ends = [careless.last_stable_offset(TOPIC, partition) for partition in range(4)]
    assert ends == [4, 0, 3, 2], "the records and a marker, but where it is open and does not hang"


def of_groups(session: Session, groups: Session, careless: Careless) -> None:
    """Offsets in a transaction that no coordinator knows of: they stay pending."""
    producer = careless.init("reader")
    groups.type(f"--reset-offsets --group waiting --topic {TOPIC}:0 --to-offset 1 --execute")
    for group, partition in (("waiting", 0), ("waiting", 1), ("new", 0)):
        careless.commit_offset("reader", producer, group, TOPIC, partition, 2)
    for partition, committed in ((0, 1), (1, -1)):
        assert careless.offset("waiting", TOPIC, partition, stable=False) == (ErrorCode.NONE, committed)
        found = careless.offset("waiting", TOPIC, partition, stable=True)
        assert found == (ErrorCode.UNSTABLE_OFFSET_COMMIT, -1)
    for group in ("waiting", "new"):
        for what in ("", " --offsets --verbose", " --members", " --state"):
            groups.type(f"--describe --group {group}{what}")
    groups.type("--list --state")
    groups.type(f"--reset-offsets --group waiting --topic {TOPIC}:0 --to-current --dry-run")
    groups.type(f"--delete-offsets --group waiting --topic {TOPIC}:1")
    assert careless.offset("waiting", TOPIC, 1, stable=True) == (ErrorCode.NONE, -1), "it is not pending any more"
    groups.type("--delete --group new")
    groups.type("--list --state")
    session.type(f"find-hanging --topic {OFFSETS} --max-transaction-timeout 0")
    session.type(f"describe-producers --topic {OFFSETS} --partition 0")
    session.type(f"abort --topic {OFFSETS} --partition 0 --start-offset 1")
    session.type(f"describe-producers --topic {OFFSETS} --partition 0")
    for partition, committed in ((0, 1), (1, -1)):
        assert careless.offset("waiting", TOPIC, partition, stable=True) == (ErrorCode.NONE, committed)
    groups.type("--describe --group waiting")
    groups.type("--list --state")


def ended_by_force(session: Session, groups: Session, broker: Broker) -> None:
    """A transaction that its coordinator knows, with offsets."""
    pay = open_transactor("confluent_kafka", broker.bootstrap, "pay")
    pay.begin()
    pay.send_offsets("paid", TOPIC, {0: 2})
    session.type("describe --transactional-id pay")
    groups.type("--describe --group paid")
    for transactional_id in ("pay", "half", "lost", "nobody"):
        session.type(f"forceTerminateTransaction --transactionalId {transactional_id}")
    session.type("forceTerminateTransaction")
    session.type("describe --transactional-id pay")
    session.type("list")
    groups.type("--describe --group paid")
    with pytest.raises(Ended):
        pay.commit()
    pay.close()


def type_ottla(session: Session, broker: Broker, line: str) -> None:
    argv = [*command(), "transactions", *line.split(), "-b", broker.bootstrap]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=WAIT_S, check=False)
    session.note(f"ottla transactions {line}", f"{done.stdout}{done.stderr}exit code {done.returncode}\n")
