"""How records lie in the internal topics, byte for byte, and what is refused."""

from __future__ import annotations

import random
from importlib import import_module

import pytest

from ottla import records
from ottla.records import UnknownRecordError, WireError
from ottla.records.cluster_metadata import NoOpRecord, TopicRecord
from ottla.records.consumer_offsets import LegacyOffsetCommitKey, OffsetCommitKey, OffsetCommitValue
from ottla.wire.schema import Message, schema_of
from tests.support.messages import record_messages, sample

COORDINATORS = (records.CONSUMER_OFFSETS, records.TRANSACTION_STATE, records.SHARE_GROUP_STATE)
FRAMED = (records.CLUSTER_METADATA, records.REMOTE_LOG_METADATA)


def stored_in(topic: str) -> list[type]:
    module = import_module(f"ottla.records.{topic.lstrip('_')}")
    return [cls for cls in record_messages() if cls.__module__ == module.__name__]


def test_an_offset_commit_byte_for_byte() -> None:
    key = OffsetCommitKey(group="g", topic="t", partition=3)
    data = records.encode_key(records.CONSUMER_OFFSETS, key)
    assert data == b"\0\1\0\1g\0\1t\0\0\0\3"
    assert records.decode_key(records.CONSUMER_OFFSETS, data) == key
    value = OffsetCommitValue(offset=5, leader_epoch=2, metadata="m", commit_timestamp=9)
    data = records.encode_value(records.CONSUMER_OFFSETS, value, 3)
    assert data == b"\0\3\0\0\0\0\0\0\0\5\0\0\0\2\0\1m\0\0\0\0\0\0\0\x09"
    assert records.decode_value(records.CONSUMER_OFFSETS, data, key) == value


def test_keys_of_equal_layout_are_told_apart() -> None:
    key = LegacyOffsetCommitKey(group="g", topic="t", partition=3)
    data = records.encode_key(records.CONSUMER_OFFSETS, key)
    assert data[:2] == b"\0\0"
    assert type(records.decode_key(records.CONSUMER_OFFSETS, data)) is LegacyOffsetCommitKey


def test_a_topic_record_byte_for_byte() -> None:
    record = TopicRecord(name="t", topic_id=b"0123456789abcdef")
    data = records.encode_value(records.CLUSTER_METADATA, record, 0)
    assert data == b"\1\2\0\2t0123456789abcdef\0"
    assert records.decode_value(records.CLUSTER_METADATA, data) == record
    assert records.framed_format(records.CLUSTER_METADATA).decode_value(data) == (record, 0)


@pytest.mark.parametrize("topic", COORDINATORS)
def test_every_coordinator_record_round_trips(topic: str) -> None:
    bits = random.Random(topic)
    stored = {kind: {} for kind in ("coordinator-key", "coordinator-value")}  # type: dict[str, dict[int | None, type]]
    for cls in stored_in(topic):
        stored[schema_of(cls).kind][schema_of(cls).api_key] = cls
    keys, values = stored.values()
    assert keys.keys() == values.keys()
    for record_id, key_class in keys.items():
        key = sample(key_class, 0, bits)
        assert records.decode_key(topic, records.encode_key(topic, key)) == key
        value_class = values[record_id]
        for version in schema_of(value_class).valid:
            value = sample(value_class, version, bits)
            data = records.encode_value(topic, value, version)
            assert records.decode_value(topic, data, key) == value


@pytest.mark.parametrize("topic", FRAMED)
def test_every_framed_record_round_trips(topic: str) -> None:
    bits = random.Random(topic)
    classes = stored_in(topic)
    assert len({schema_of(cls).api_key for cls in classes}) == len(classes)
    for cls in classes:
        for version in schema_of(cls).valid:
            record = sample(cls, version, bits)
            data = records.encode_value(topic, record, version)
            assert records.decode_value(topic, data) == record
            for end in range(len(data)):
                with pytest.raises(WireError):
                    records.decode_value(topic, data[:end])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\2\2\0", "frame version 2, 1 is known"),
        (b"\1\6\0", "no records of type 6, version 0"),
        (b"\1\2\1\2t0123456789abcdef\0", "no records of type 2, version 1"),
        (b"\1\xe8\7\0", "no records of type 1000"),
    ],
)
def test_unknown_metadata_records(data: bytes, why: str) -> None:
    with pytest.raises(UnknownRecordError, match=why):
        records.decode_value(records.CLUSTER_METADATA, data)


def test_bad_metadata_records() -> None:
    data = records.encode_value(records.CLUSTER_METADATA, NoOpRecord(), 0)
    assert data == b"\1\x14\0\0"
    with pytest.raises(WireError, match="1 bytes too many"):
        records.decode_value(records.CLUSTER_METADATA, data + b"\0")
    with pytest.raises(WireError, match="no varint"):
        records.decode_value(records.CLUSTER_METADATA, b"\x81" * 9)


def test_unknown_and_bad_coordinator_records() -> None:
    topic = records.CONSUMER_OFFSETS
    key = OffsetCommitKey(group="g", topic="t", partition=3)
    with pytest.raises(UnknownRecordError, match="no records of type 99"):
        records.decode_key(topic, b"\0\x63")
    with pytest.raises(UnknownRecordError, match="OffsetCommitValue of __consumer_offsets has no version 5"):
        records.decode_value(topic, b"\0\5", key)
    for data in (b"", b"\0"):
        with pytest.raises(WireError, match="2 bytes wanted"):
            records.decode_key(topic, data)
        with pytest.raises(WireError, match="2 bytes wanted"):
            records.decode_value(topic, data, key)
    with pytest.raises(WireError, match="cannot decode OffsetCommitKey v0: group"):
        records.decode_key(topic, b"\0\1\0")


def test_names_in_keys_are_shared() -> None:
    topic = records.CONSUMER_OFFSETS
    data = [records.encode_key(topic, OffsetCommitKey(group="a group", topic="t", partition=n)) for n in range(2)]
    first, second = (records.decode_key(topic, key) for key in data)
    assert first.group is second.group


def test_every_record_is_in_a_log_or_a_known_other_place() -> None:
    stored = {cls for topic in (*COORDINATORS, *FRAMED) for cls in stored_in(topic)}
    others = {cls.__module__.rpartition(".")[2] for cls in record_messages() if cls not in stored}
    assert others == {"consumer_protocol", "control", "files"}
    assert all(issubclass(cls, Message) for cls in stored)
