"""One data directory, opened in turn by Apache Kafka and Ottla: nothing is lost, and Kafka has no complaints.

Whoever has it writes to topics that are there, makes one, deletes one, and ends: by SIGTERM, or by kill -9. The next
one reads everything back before it writes. Segments are small, so that every round rolls some. Members of two groups,
one of each protocol, go on where their groups were under the other broker.
"""

import re
import time
from pathlib import Path
from typing import Literal, final

import pytest
from benchmarks.failure import Skipped
from benchmarks.peers import Broker
from benchmarks.peers.kafka import Kafka, KafkaBroker
from benchmarks.peers.ottla import Ottla, OttlaBroker

from compat_support.client import WAIT_S, Beginning, Client, Patient, ProduceOptions, Record, connect
from compat_support.dump import dump
from compat_support.groups import MemberOptions, Running, until

Who = Literal["kafka", "ottla"]
How = Literal["stopped", "killed"]

PARTITIONS = 2
SETTINGS = {"segment.bytes": "1100000", "index.interval.bytes": "4096"}  # a little above the least that is allowed
OTTLA_SETTINGS = {
    "node.id": "1",
    "log.flush.offset.checkpoint.interval.ms": "500",
    # What one broker committed compressed the other goes on from.
    "offsets.topic.compression.codec": "2",
}
CODECS = ("none", "lz4")
GROUPS = {"of-old": "classic", "of-new": "consumer"}
"""Groups and their protocols."""
BULK = 1500
"""Records of a round in each partition of the large topic: one and a half segments."""
COMPLAINT = re.compile(r"^\[[^]]*\] (?:WARN|ERROR|FATAL) (?!.*Performing controller activation).*", re.MULTILINE)
"""Kafka warns of every activation of its controller, also on a directory that it alone has ever seen."""


def records(serial: int, count: int, size: int) -> list[Record]:
    return [Record(f"{serial}-{i}".encode(), f"{i:06}".encode() * (size // 6)) for i in range(count)]


@final
class Directory:
    """A data directory and what must be in it."""

    def __init__(self, place: Path, first: Who) -> None:
        self.data_dir = place / "data"
        self.kafka = KafkaBroker(place, {})
        self.ottla = OttlaBroker(place, OTTLA_SETTINGS)
        self.expected: dict[str, dict[int, list[Record]]] = {}
        """By topic and partition."""
        self.complaints: list[str] = []
        self._serial = 0
        self._committed = dict.fromkeys(GROUPS, 0)
        if first == "kafka":
            self.kafka.format()
        else:
            self.kafka.configure()

    def round(self, who: Who, how: How) -> None:
        """One life of a broker: reads all, writes some, ends."""
        broker: Broker = self.kafka if who == "kafka" else self.ottla
        try:
            broker.start()
            client: Client = connect("confluent_kafka", broker.bootstrap)
            client = Patient(client) if who == "kafka" else client
            self._serial += 1
            self._read(client)
            self._write(client)
            for group in GROUPS:
                self._go_on(broker, group)
            if who == "ottla" and how == "killed":
                self._wait_flushed()
        finally:
            if how == "killed":
                broker.kill()
            else:
                status = broker.stop()
                assert status in (0, 143), f"{who} ended with {status} on SIGTERM"  # 143: how a JVM ends
        if who == "kafka":
            self.complaints += [f"round {self._serial}: {line}" for line in COMPLAINT.findall(self.kafka.said)]

    def _read(self, client: Client) -> None:
        if self._serial > 1:
            assert client.topics() - {"__consumer_offsets"} == {*self.expected, "never-written"}
        for topic, partitions in self.expected.items():
            count = sum(len(wanted) for wanted in partitions.values())
            found = client.consume(topic, Beginning(), count, partitions=list(partitions))
            for partition, wanted in partitions.items():
                here = [received for received in found if received.partition == partition]
                assert [r.offset for r in here] == list(range(len(wanted))), f"round {self._serial}, {topic}"
                assert [r.bare for r in here] == wanted, f"round {self._serial}, {topic}"

    def _write(self, client: Client) -> None:
        if self._serial == 1:
            client.create_topic("large", partitions=PARTITIONS, configs=SETTINGS)
            client.create_topic("small", configs={"flush.messages": "1"})
            client.create_topic("never-written", partitions=PARTITIONS)
        else:
            client.delete_topic(f"of-round-{self._serial - 1}")
            del self.expected[f"of-round-{self._serial - 1}"]
        client.create_topic(f"of-round-{self._serial}")
        codec = CODECS[self._serial % len(CODECS)]
        for partition in range(PARTITIONS):
            self._produce(client, "large", partition, records(self._serial, BULK, 1000), codec, partition == 0)
        self._produce(client, "small", 0, records(self._serial, 3, 12), codec)
        self._produce(client, f"of-round-{self._serial}", 0, records(self._serial, 1, 6), codec)

    def _produce(
        self,
        client: Client,
        topic: str,
        partition: int,
        new: list[Record],
        codec: str,
        idempotent: bool = False,
    ) -> None:
        there = self.expected.setdefault(topic, {}).setdefault(partition, [])
        offsets = client.produce(topic, new, ProduceOptions(codec, "all", idempotent), partition=partition)
        assert offsets == list(range(len(there), len(there) + len(new)))
        there += new

    def _go_on(self, broker: Broker, group: str) -> None:
        """A member reads what its group has not read."""
        written = self.expected["small"][0]
        new = [record.value for record in written[self._committed[group] :]]
        options = MemberOptions(group=group, topics=("small",), protocol=GROUPS[group], auto_commit=False)
        with Running("confluent_kafka", broker.bootstrap, options) as member:
            until(lambda: len(member.received) >= len(new), f"{len(new)} new records", [member])
            assert member.values == new, f"round {self._serial}, group {group}"
            member.commit()
            self._committed[group] = len(written)
            assert member.committed(0) == len(written)

    def _wait_flushed(self) -> None:
        """Until the checkpoint says that the small topic is on the disk: from then on Kafka expects its index."""
        wanted = f"small 0 {len(self.expected['small'][0])}"
        checkpoint = self.data_dir / "recovery-point-offset-checkpoint"
        deadline = time.monotonic() + WAIT_S
        while not (checkpoint.exists() and wanted in checkpoint.read_text().splitlines()):
            assert time.monotonic() < deadline, f"no «{wanted}» in {checkpoint}"
            time.sleep(0.02)


@pytest.fixture(scope="module", autouse=True)
def toolchain(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--bootstrap"):
        pytest.skip("two brokers of this test's own take turns")
    try:
        Kafka().prepare()
        Ottla().prepare()
    except Skipped as why:
        pytest.skip(str(why))


ROUNDS: dict[str, list[tuple[Who, How]]] = {
    "ottla": [("ottla", "stopped"), ("kafka", "killed"), ("ottla", "killed"), ("kafka", "stopped")],
    "kafka": [("kafka", "stopped"), ("ottla", "stopped")],
}
"""By who formats the directory. Together, each takes over from the other after both ways to end; a start of Kafka takes
five seconds, so there are no more than that needs."""


@pytest.mark.parametrize("first", list(ROUNDS))
def test_kafka_and_ottla_take_turns(first: Who, tmp_path: Path) -> None:
    directory = Directory(tmp_path / "turns", first)
    for who, how in ROUNDS[first]:
        directory.round(who, how)
    assert not directory.complaints, "\n".join(directory.complaints)
    partitions = [*directory.data_dir.glob("large-?"), *directory.data_dir.glob("small-?")]

    def files(ending: str) -> list[Path]:
        return sorted(path for folder in partitions for path in folder.glob(f"*{ending}"))

    printed = dump(files(".log"), "--deep-iteration", "--print-data-log")
    count = sum(len(there) for topic in ("large", "small") for there in directory.expected[topic].values())
    assert printed.count("| offset: ") == count
    dump([*files(".index"), *files(".timeindex")], "--index-sanity-check")
    metadata = sorted((directory.data_dir / "__cluster_metadata-0").glob("*.log"))
    dump(metadata, "--deep-iteration", "--cluster-metadata-decoder")
