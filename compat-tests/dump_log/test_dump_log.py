"""Kafka's own DumpLogSegments reads the broker's directory: every file, deep iteration, without one complaint.

The broker is a process of its own with small segments, so that there are rolled segments, indexes with entries and
producer snapshots to read. It is dumped after a clean stop, and after a kill and a recovery.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.failure import Skipped
from benchmarks.peers import Broker, Peer, kafka

from compat_support.client import Beginning, ProduceOptions, Record, connect

TOOL_TIMEOUT_S = 120.0
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
SEGMENT_BYTES = 1_100_000  # a little above the least that is allowed
COMPLAINTS = (
    "warn",
    "error",
    "exception",
    "mismatch",
    "not found",
    "isvalid: false",
    "corrupt",
    "could not",
    "invalid",
    "non-consecutive",
    "non-monotonic",
    "out of order",
)
"""What the tool prints when a file is not as it should be, in lower case."""


@pytest.fixture(scope="module")
def filled(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running broker with a topic for each codec; stopped at the end."""
    broker = peer.create(tmp_path_factory.mktemp("dump-log") / peer.name)
    try:
        broker.start()
        fill(broker)
        yield broker
    finally:
        broker.stop()


def fill(broker: Broker) -> None:
    client = connect("confluent_kafka", broker.bootstrap)
    for codec in CODECS:
        topic = f"dump-{codec}"
        settings = {"segment.bytes": str(SEGMENT_BYTES), "index.interval.bytes": "4096"}
        client.create_topic(topic, partitions=2, configs=settings)
        for partition in (0, 1):
            client.produce(topic, records(4000), ProduceOptions(codec, "all", True), partition=partition)


def records(count: int) -> list[Record]:
    return [Record(f"key-{i % 97}".encode(), f"{i}".encode() * 150, (("n", str(i).encode()),)) for i in range(count)]


def dump(files: list[Path], *options: str) -> str:
    """What DumpLogSegments prints for these files, after a look for complaints."""
    try:
        argv = kafka.tool(
            "org.apache.kafka.tools.DumpLogSegments", "--files", ",".join(map(str, files)), *options, measured=False
        )
    except Skipped as why:
        pytest.skip(str(why))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
    said = complaints(done.stderr)
    assert not said, said
    found = [line for line in done.stdout.splitlines() if any(word in line.lower() for word in COMPLAINTS)]
    assert not found, found[:5]
    return done.stdout


def complaints(stderr: str) -> list[str]:
    """What the tool said of the files. Not counted, for Kafka's own directories give it too:

    warnings of the Java machine about the jars, and "-1 is followed by N" where N is the first offset of a segment.
    """
    out: list[str] = []
    for line in stderr.splitlines():
        if not line or line.startswith("WARNING: "):
            continue
        first = re.fullmatch(r"\s*-1 is followed by (\d+)", line)
        if first and out and out[-1].endswith(f"/{int(first.group(1)):020}.log"):
            out.pop()  # the line before, which names the file
        else:
            out.append(line)
    return out


def files(broker: Broker, folders: str, *endings: str) -> list[Path]:
    found = [path for ending in endings for path in sorted(broker.data_dir.glob(f"{folders}/*{ending}"))]
    assert found, f"no {endings} in {broker.data_dir}/{folders}"
    return found


@pytest.fixture(scope="module", params=["clean stop", "kill and recovery"])
def state(request: pytest.FixtureRequest, filled: Broker) -> Broker:
    """The directory of a stopped broker, after each way to end."""
    if request.param == "kill and recovery":
        filled.start()
        filled.kill()
        filled.start()
        read_back(filled)
    filled.stop()
    return filled


def read_back(broker: Broker) -> None:
    client = connect("confluent_kafka", broker.bootstrap)
    for codec in CODECS:
        assert [r.bare for r in client.consume(f"dump-{codec}", Beginning(), 4000)] == records(4000)


@pytest.mark.parametrize("codec", CODECS)
def test_segments(state: Broker, codec: str) -> None:
    logs = files(state, f"dump-{codec}-*", ".log")
    printed = dump(logs, "--deep-iteration", "--print-data-log")
    assert printed.count("payload: ") == 8000
    assert printed.count("| offset: ") == 8000
    if codec == "none":
        assert len(logs) > 2, "no segment was rolled"


def test_indexes(state: Broker) -> None:
    for ending in (".index", ".timeindex"):
        indexes = files(state, "dump-*", ending)
        dump(indexes)
        dump(indexes, "--verify-index-only")
        dump(indexes, "--index-sanity-check")


def test_producer_snapshots(state: Broker) -> None:
    assert "producerId: " in dump(files(state, "dump-none-*", ".snapshot"))


def test_metadata_log(state: Broker) -> None:
    printed = dump(files(state, "__cluster_metadata-0", ".log"), "--deep-iteration", "--cluster-metadata-decoder")
    for kind in ("FEATURE_LEVEL_RECORD", "TOPIC_RECORD", "PARTITION_RECORD", "CONFIG_RECORD"):
        assert f'"type":"{kind}"' in printed, kind
    assert printed.count('"name":"dump-') == len(CODECS)


def test_metadata_snapshots(state: Broker) -> None:
    dump(files(state, "__cluster_metadata-0", ".checkpoint"), "--cluster-metadata-decoder")
