"""What Kafka wrote is read, replayed and written again: the same image, the same bytes."""

from __future__ import annotations

from itertools import groupby

from ottla.controller.format import bootstrap_batches
from ottla.metadata.delta import Delta
from ottla.metadata.features import bootstrap_records
from ottla.metadata.image import Image, Provenance
from ottla.metadata.loader import Transactions
from ottla.metadata.records import MetadataCodec
from ottla.metadata.snapshot import image_records
from ottla.raft.control_records import ControlType, control_type, decode_voters, leader_change
from ottla.raft.snapshot import BOOTSTRAP_SNAPSHOT
from ottla.records.cluster_metadata import RegisterBrokerRecord, RegisterControllerRecord
from ottla.wire.schema import replace
from tests.support.golden_log import golden_batches, golden_records

CODEC = MetadataCodec()
SNAPSHOT_END = 1005
"""End offset of the golden snapshot; the log goes on to the end of a clean stop."""


def in_order(record: object) -> object:
    """Features sorted: Kafka's come in the order of a hash map, another at each writing."""
    if isinstance(record, RegisterBrokerRecord | RegisterControllerRecord):
        features = tuple(sorted(record.features, key=lambda feature: feature.name))
        return replace(record, features=features)
    return record


def replayed(name: str, end_offset: int = 2**63) -> Image:
    golden = (record for record in golden_records(name) if not record.control and record.offset < end_offset)
    records = [in_order(CODEC.decode(record.value)) for record in golden]
    delta = Delta(Image())
    delta.replay_all(Transactions().ready(records))
    return delta.apply(Provenance())


def test_records_of_kafka_are_written_again_as_the_same_bytes() -> None:
    for name in ("kafka_log.txt", "kafka_snapshot.txt"):
        for record in golden_records(name):
            if not record.control:
                assert CODEC.encode(CODEC.decode(record.value), 33) == record.value


def test_replaying_the_log_gives_the_image_of_kafkas_snapshot() -> None:
    log, snapshot = replayed("kafka_log.txt", SNAPSHOT_END), replayed("kafka_snapshot.txt")

    assert log == snapshot
    assert log.topics.named("gone") is None
    assert log.config(2, "orders") == {"cleanup.policy": "compact", "retention.ms": "1000"}


def test_our_snapshot_holds_the_records_of_kafkas() -> None:
    image = replayed("kafka_log.txt", SNAPSHOT_END)
    ours = [CODEC.encode(record, 33) for record in image_records(image)]
    kafkas = [
        CODEC.encode(in_order(CODEC.decode(record.value)), 33)
        for record in golden_records("kafka_snapshot.txt")
        if not record.control
    ]

    assert sorted(ours) == sorted(kafkas)
    assert types_in_order(ours) == types_in_order(kafkas)


def types_in_order(values: list[bytes]) -> list[int]:
    """The runs of record types; topics among each other come in any order in Kafka."""
    return [record_id for record_id, _ in groupby(values, key=lambda value: value[1])]


def test_bootstrap_snapshot_is_kafkas() -> None:
    golden = golden_batches("kafka_bootstrap.txt")
    voter = next(iter(decode_voters(next(v for b in golden for k, v in b.records if is_voters(k)) or b"")))
    timestamp_ms = golden[0].timestamp_ms

    ours = list(bootstrap_batches(voter, CODEC, timestamp_ms))

    assert [(b.control, len(b.records)) for b in ours] == [(b.control, len(b.records)) for b in golden]
    for mine, theirs in zip(ours, golden, strict=True):
        for (my_key, my_value), (key, value) in zip(mine.records, theirs.records, strict=True):
            assert my_key == key
            if control_type(key) is not ControlType.SNAPSHOT_HEADER:
                assert my_value == value
    assert BOOTSTRAP_SNAPSHOT.file_name == "00000000000000000000-0000000000.checkpoint"
    assert [replace(record) for record in bootstrap_records()] == [CODEC.decode(v or b"") for _, v in ours[1].records]


def is_voters(key: bytes | None) -> bool:
    return control_type(key) is ControlType.KRAFT_VOTERS


def test_leader_change_is_kafkas() -> None:
    first = golden_records("kafka_log.txt")[0]

    assert leader_change(1, (1,), (1,)) == (first.key, first.value)
