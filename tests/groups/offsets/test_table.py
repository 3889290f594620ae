"""The table of offsets beside a dumb model, the log that brings it back, and its bytes beside the declarations."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ottla.coordinator.machine import Record
from ottla.errors import ErrorCode
from ottla.groups.offsets.table import (
    CommittedOffset,
    OffsetTable,
    committed,
    fetched_nothing,
    offset_record,
    pending,
    tombstone,
)
from ottla.records.consumer_offsets import (
    GroupMetadataKey,
    LegacyOffsetCommitKey,
    LegacyOffsetCommitValue,
    OffsetCommitKey,
    OffsetCommitValue,
)
from ottla.wire.codec import WireError, decode_response, encode
from ottla.wire.k09_offset_fetch import (
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)
from ottla.wire.schema import replace
from tests.support.offset_scripts import FORMAT, World, as_bytes

int32 = st.integers(-(2**31), 2**31 - 1)
int64 = st.integers(-(2**63), 2**63 - 1)
values = st.builds(
    OffsetCommitValue,
    offset=int64,
    leader_epoch=st.integers(-(2**31), 2**31 - 1),
    metadata=st.text(max_size=6),
    commit_timestamp=int64,
    expire_timestamp=st.one_of(st.just(-1), int64),
    topic_id=st.binary(min_size=16, max_size=16),
)


class Put(NamedTuple):
    where: tuple[str, str, int]
    offset: int
    producer_id: int
    """−1 outside of transactions."""


class Remove(NamedTuple):
    where: tuple[str, str, int]


class End(NamedTuple):
    producer_id: int
    is_committed: bool


wheres = st.tuples(st.sampled_from("gh"), st.sampled_from("tu"), st.integers(0, 1))
steps = st.lists(
    st.one_of(
        st.builds(Put, wheres, st.integers(0, 99), st.just(-1)),
        st.builds(Put, wheres, st.integers(0, 99), st.sampled_from((7, 8, 9))),
        st.builds(Remove, wheres),
        st.builds(End, st.sampled_from((7, 8, 9)), st.booleans()),
    ),
    max_size=40,
)


class Model:
    """As Kafka does it: each offset with the position of its record."""

    def __init__(self) -> None:
        self.committed: dict[Any, tuple[int, int]] = {}
        self.pending: dict[int, dict[Any, tuple[int, int]]] = {}

    def take(self, position: int, step: Put | Remove | End) -> None:
        if isinstance(step, Put):
            of = self.committed if step.producer_id == -1 else self.pending.setdefault(step.producer_id, {})
            of[step.where] = (position, step.offset)
        elif isinstance(step, Remove):
            for of in (self.committed, *self.pending.values()):
                of.pop(step.where, None)
        else:
            for where, new in self.pending.pop(step.producer_id, {}).items():
                if step.is_committed and new > self.committed.get(where, (-1, -1)):
                    self.committed[where] = new


def record(step: Put | Remove) -> Record:
    group, topic, partition = step.where
    key = OffsetCommitKey(group=group, topic=topic, partition=partition)
    return as_bytes(key, OffsetCommitValue(offset=step.offset) if isinstance(step, Put) else None)


def take(table: OffsetTable, step: Put | Remove | End) -> None:
    if isinstance(step, End):
        table.end_transaction(step.producer_id, step.is_committed)
        return
    key, value = record(step)
    assert isinstance(key, bytes)
    assert value is None or isinstance(value, bytes)
    if isinstance(step, Remove) or step.producer_id == -1:
        group = table.apply(key, value)
    else:
        group = table.apply_pending(step.producer_id, key, value)
    assert group == (None if isinstance(step, Remove) else step.where[0])


def everything(table: OffsetTable) -> dict[Any, int]:
    return {
        (group, topic, partition): found.offset
        for group in table.groups()
        for topic, partition, found in committed(table, group)
    }


def everything_pending(table: OffsetTable) -> set[Any]:
    return {(group, *where) for group in table.groups() for where in pending(table, group)}


@settings(deadline=None)
@given(steps)
def test_it_agrees_with_the_model_at_every_step(steps: list[Put | Remove | End]) -> None:
    table, model = OffsetTable(), Model()
    for position, step in enumerate(steps):
        take(table, step)
        model.take(position, step)

        assert everything(table) == {where: offset for where, (_, offset) in model.committed.items()}
        assert everything_pending(table) == {where for of in model.pending.values() for where in of}
        assert len(table) == len(model.committed)


@settings(deadline=None)
@given(steps)
def test_a_log_that_was_compacted_while_it_was_read_says_the_same(steps: list[Put | Remove | End]) -> None:
    """As the data plane reads it: of each key the last that counts, and everything of transactions that are open."""
    model, whole = Model(), OffsetTable()
    for position, step in enumerate(steps):
        model.take(position, step)
        take(whole, step)
    ended_at = {
        producer: max((p for p, s in enumerate(steps) if isinstance(s, End) and s.producer_id == producer), default=-1)
        for producer in (7, 8, 9)
    }
    kept: dict[int, Put | Remove] = {
        position: Put(where, offset, -1) for where, (position, offset) in model.committed.items()
    }
    tombstones: dict[Any, int] = {}
    for position, step in enumerate(steps):
        if isinstance(step, Remove):
            tombstones[step.where] = position
    for position, step in enumerate(steps):
        if (
            isinstance(step, Put)
            and step.producer_id != -1
            and position > ended_at[step.producer_id]
            # A tombstone takes with it what is pending; the reader that drops it must drop that, too.
            and position > tombstones.get(step.where, -1)
        ):
            kept[position] = step
    read = OffsetTable()
    for position in sorted(kept):
        take(read, kept[position])

    assert everything(read) == everything(whole)
    assert everything_pending(read) == everything_pending(whole)
    for producer in (9, 7, 8):
        take(read, End(producer, True))
        take(whole, End(producer, True))
        assert everything(read) == everything(whole)


@settings(max_examples=50, deadline=None)
@given(steps)
def test_the_log_brings_the_state_back(steps: list[Put | Remove | End]) -> None:
    world = World()
    for step in steps:
        if isinstance(step, End):
            world.log.append((step.producer_id, step.is_committed))
        else:
            producer_id = -1 if isinstance(step, Remove) else step.producer_id
            world.log.append(record(step) if producer_id == -1 else (producer_id, record(step)))
        world.read(world.log[-1])
    before = world.offsets.table
    world.restart()

    assert world.offsets.table is not before
    assert everything(world.offsets.table) == everything(before)
    assert everything_pending(world.offsets.table) == everything_pending(before)


def test_offsets_of_the_oldest_format_are_read() -> None:
    world = World()
    key = LegacyOffsetCommitKey(group="g", topic="t", partition=1)
    world.offsets.apply(as_bytes(key, LegacyOffsetCommitValue(offset=3, metadata="m", commit_timestamp=4)))

    assert list(committed(world.offsets.table, "g")) == [("t", 1, CommittedOffset(3, -1, "m", 4))]

    world.offsets.apply(as_bytes(key, None))
    assert len(world.offsets.table) == 0


def test_a_group_whose_tombstone_came_before_those_of_its_offsets_is_there_again() -> None:
    world = World()
    world.offsets.apply(as_bytes(OffsetCommitKey(group="g", topic="t", partition=0), OffsetCommitValue(offset=1)))
    world.groups.groups.clear()
    assert len(list(world.offsets.digest())) == 1

    assert list(world.groups.groups) == ["g"]


# --- the bytes, beside the declarations


@settings(deadline=None)
@given(values, st.text(max_size=6), st.text(max_size=6), int32)
def test_a_record_is_written_as_it_is_declared(
    value: OffsetCommitValue, group: str, topic: str, partition: int
) -> None:
    key = OffsetCommitKey(group=group, topic=topic, partition=partition)
    expected: Record = as_bytes(key, value)
    times = value.commit_timestamp, value.expire_timestamp
    made = offset_record(
        group, topic, partition, value.offset, value.leader_epoch, value.metadata, *times, value.topic_id
    )

    assert Record._make(made) == expected
    assert tombstone(group, topic, partition) == Record(expected.key, None)


def held(key: bytes, value: bytes) -> object:
    """What the table makes of a record: its content, or nothing when it refuses it."""
    table = OffsetTable()
    try:
        group = table.apply(key, value)
    except ValueError:
        return None
    assert group is not None
    ((topic, partition, found),) = committed(table, group)
    return group, topic, partition, found


def declared(key: bytes, value: bytes) -> object:
    try:
        read = FORMAT.decode_key(key)
        if not isinstance(read, OffsetCommitKey | LegacyOffsetCommitKey):
            return None
        found = FORMAT.decode_value(read, value)
    except ValueError:
        return None
    if isinstance(found, LegacyOffsetCommitValue):
        offset = CommittedOffset(found.offset, -1, found.metadata, found.commit_timestamp)
    else:
        times = found.commit_timestamp, found.expire_timestamp
        offset = CommittedOffset(found.offset, found.leader_epoch, found.metadata, *times, found.topic_id)
    return read.group, read.topic, read.partition, offset


@pytest.mark.parametrize("version", range(5))
@settings(deadline=None)
@given(data=st.data())
def test_a_record_is_read_as_it_is_declared(version: int, data: st.DataObject) -> None:
    """Whole, cut off, with some bytes changed, and with tagged fields of the future."""
    is_legacy = version == 0 and data.draw(st.booleans())
    key = (LegacyOffsetCommitKey if is_legacy else OffsetCommitKey)(group="größe", topic="t", partition=3)
    value = data.draw(values)
    message: object = value
    if is_legacy:
        message = LegacyOffsetCommitValue(
            offset=value.offset, metadata=value.metadata, commit_timestamp=value.commit_timestamp
        )
    key_bytes, value_bytes = bytearray(FORMAT.encode_key(key)), bytearray(FORMAT.encode_value(message, version))
    if version == 4 and data.draw(st.booleans()):
        # One that is unknown, and one that is known, twice.
        value_bytes = bytearray(FORMAT.encode_value(replace(value, topic_id=bytes(16)), version))
        assert value_bytes.pop() == 0
        value_bytes += b"\x03\x05\x02ab" + b"\x00\x10" + bytes(16) + b"\x00\x10" + value.topic_id
    for part in (key_bytes, value_bytes):
        for _ in range(data.draw(st.integers(0, 2))):
            part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
        if data.draw(st.integers(0, 5)) == 0:
            del part[data.draw(st.integers(0, len(part))) :]

    expected = declared(bytes(key_bytes), bytes(value_bytes))
    assert held(bytes(key_bytes), bytes(value_bytes)) == expected


@pytest.mark.parametrize("version", range(1, 11))
@settings(deadline=None)
@given(
    offsets=st.dictionaries(st.integers(0, 300), values, max_size=200),
    asked=st.one_of(st.none(), st.lists(st.integers(-2, 310), max_size=200)),
)
def test_an_answer_is_written_as_it_is_declared(
    version: int, offsets: dict[int, OffsetCommitValue], asked: list[int] | None
) -> None:
    table = OffsetTable()
    for partition, value in offsets.items():
        table.apply(*as_bytes(OffsetCommitKey(group="g", topic="t", partition=partition), value))  # type: ignore[arg-type]
    cls = OffsetFetchResponsePartition if version < 8 else OffsetFetchResponsePartitions
    partitions: list[Any] = []
    for index in sorted(offsets) if asked is None else asked:
        found = offsets.get(index)
        if found is None:
            partitions.append(cls(partition_index=index, committed_offset=-1, committed_leader_epoch=-1, metadata=""))
        else:
            epoch = found.leader_epoch if found.expire_timestamp == -1 else -1
            partitions.append(
                cls(
                    partition_index=index,
                    committed_offset=found.offset,
                    committed_leader_epoch=epoch,
                    metadata=found.metadata,
                )
            )
    encoded = table.fetch(version, "g", "t", bytes(16), None if asked is None else tuple(asked), False)

    assert encode(_response(version, encoded), version) == encode(_response(version, tuple(partitions)), version)


def _response(version: int, partitions: Any) -> OffsetFetchResponse:
    if version < 8:
        return OffsetFetchResponse(topics=(OffsetFetchResponseTopic(name="t", partitions=partitions),))
    topics = (OffsetFetchResponseTopics(name="t", partitions=partitions),)
    return OffsetFetchResponse(groups=(OffsetFetchResponseGroup(group_id="g", topics=topics),))


def test_an_error_of_a_topic_is_written_for_each_partition() -> None:
    encoded = fetched_nothing(8, (1, 5), ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    answer = decode_response(9, 8, encode(_response(8, encoded), 8)).groups[0].topics[0].partitions

    assert [(each.partition_index, each.committed_offset, each.error_code) for each in answer] == [
        (1, -1, 29),
        (5, -1, 29),
    ]
    with pytest.raises(ValueError, match="no error has the code 4711"):
        fetched_nothing(8, (1,), 4711)


def test_what_no_record_holds_is_refused() -> None:
    with pytest.raises(WireError, match="the name of the group has 32768 bytes, a record holds at most 32767"):
        offset_record("g" * 2**15, "t", 0, 1, -1, None, 0, -1, bytes(16))
    with pytest.raises(ValueError, match="a topic id has 16 bytes, not 3"):
        offset_record("g", "t", 0, 1, -1, None, 0, -1, b"abc")
    with pytest.raises(ValueError, match="not the record of a committed offset"):
        OffsetTable().apply(FORMAT.encode_key(GroupMetadataKey(group="g")), b"")
