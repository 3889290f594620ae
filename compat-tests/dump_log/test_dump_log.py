"""Kafka's own DumpLogSegments reads the broker's directory: every file, deep iteration, without one complaint.

The broker is a process of its own with small segments, so that there are rolled segments, indexes with entries and
producer snapshots to read. It is dumped after a clean stop, and after a kill and a recovery.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.peers import Broker, Peer

from compat_support.client import Beginning, ProduceOptions, Record, connect
from compat_support.dump import dump

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
SEGMENT_BYTES = 1_100_000  # a little above the least that is allowed


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


def files(broker: Broker, folders: str, *endings: str) -> list[Path]:
    found = [path for ending in endings for path in sorted(broker.data_dir.glob(f"{folders}/*{ending}"))]
    assert found, f"no {endings} in {broker.data_dir}/{folders}"
    return found


@pytest.fixture(scope="module", params=["clean stop", "kill and recovery"])
def state(request: pytest.FixtureRequest, filled: Broker) -> Broker:
    """The directory of a stopped broker, after each way to end."""
    if request.param == "kill and recovery":
        filled.stop()  # it runs where this is the first of its tests: of a choice, or of another process
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
