"""The state of offsets beside a dumb model, and the log that brings it back."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from ottla.coordinator.machine import Record
from ottla.groups.offsets.offset import CommittedOffset, pack, unpack
from ottla.groups.offsets.store import OffsetStore
from ottla.records.consumer_offsets import (
    LegacyOffsetCommitKey,
    LegacyOffsetCommitValue,
    OffsetCommitKey,
    OffsetCommitValue,
)
from tests.support.offset_scripts import World

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


def take(store: OffsetStore, step: Put | Remove | End) -> None:
    if isinstance(step, End):
        store.end_transaction(step.producer_id, is_committed=step.is_committed)
    elif isinstance(step, Remove):
        store.remove(*step.where)
    elif step.producer_id == -1:
        store.put(*step.where, OffsetCommitValue(offset=step.offset))
    else:
        store.put_pending(step.producer_id, *step.where, OffsetCommitValue(offset=step.offset))


def committed(store: OffsetStore) -> dict[Any, int]:
    return {
        (group, topic, partition): found.offset
        for group in store.groups()
        for topic, partition, found in store.committed(group)
    }


def pending(store: OffsetStore) -> set[Any]:
    return {(group, *where) for group in store.groups() for where in store.pending(group)}


@given(values)
def test_packing(value: OffsetCommitValue) -> None:
    assert unpack(pack(value)) == CommittedOffset(
        value.offset,
        value.leader_epoch,
        value.metadata,
        value.commit_timestamp,
        value.expire_timestamp,
        value.topic_id,
    )


@given(steps)
def test_it_agrees_with_the_model_at_every_step(steps: list[Put | Remove | End]) -> None:
    store, model = OffsetStore(), Model()
    for position, step in enumerate(steps):
        take(store, step)
        model.take(position, step)

        assert committed(store) == {where: offset for where, (_, offset) in model.committed.items()}
        assert pending(store) == {where for of in model.pending.values() for where in of}
        assert store.offset_count == len(model.committed)


@given(steps)
def test_a_log_that_was_compacted_while_it_was_read_says_the_same(steps: list[Put | Remove | End]) -> None:
    """As the data plane reads it: of each key the last that counts, and everything of transactions that are open."""
    model, whole = Model(), OffsetStore()
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
    read = OffsetStore()
    for position in sorted(kept):
        take(read, kept[position])

    assert committed(read) == committed(whole)
    assert pending(read) == pending(whole)
    for producer in (9, 7, 8):
        take(read, End(producer, True))
        take(whole, End(producer, True))
        assert committed(read) == committed(whole)


@settings(max_examples=50)
@given(steps)
def test_the_log_brings_the_state_back(steps: list[Put | Remove | End]) -> None:
    world = World()
    for step in steps:
        if isinstance(step, End):
            world.log.append((step.producer_id, step.is_committed))
        else:
            key = OffsetCommitKey(group=step.where[0], topic=step.where[1], partition=step.where[2])
            value = None if isinstance(step, Remove) else OffsetCommitValue(offset=step.offset)
            record = Record(key, value)
            producer_id = -1 if isinstance(step, Remove) else step.producer_id
            world.log.append(record if producer_id == -1 else (producer_id, record))
        world.read(world.log[-1])
    before = world.offsets.store
    world.restart()

    assert world.offsets.store is not before
    assert committed(world.offsets.store) == committed(before)
    assert pending(world.offsets.store) == pending(before)


def test_offsets_of_the_oldest_format_are_read() -> None:
    world = World()
    key = LegacyOffsetCommitKey(group="g", topic="t", partition=1)
    world.offsets.apply(Record(key, LegacyOffsetCommitValue(offset=3, metadata="m", commit_timestamp=4)))

    assert list(world.offsets.store.committed("g")) == [("t", 1, CommittedOffset(3, -1, "m", 4))]

    world.offsets.apply(Record(key, None))
    assert world.offsets.store.offset_count == 0


def test_a_group_whose_tombstone_came_before_those_of_its_offsets_is_there_again() -> None:
    world = World()
    world.offsets.apply(Record(OffsetCommitKey(group="g", topic="t", partition=0), OffsetCommitValue(offset=1)))
    world.groups.groups.clear()
    world.offsets.loaded(world.now)

    assert list(world.groups.groups) == ["g"]
