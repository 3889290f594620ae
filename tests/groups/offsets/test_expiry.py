"""Sweeps beside a dumb model, in as many slices as it takes."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ottla.groups.offsets import expiry
from ottla.groups.offsets.group import ExpiryBase, Since
from ottla.records.consumer_offsets import OffsetCommitKey, OffsetCommitValue
from tests.groups.offsets.test_table import everything
from tests.support.offset_scripts import CONFIG, FakeGroup, World, as_bytes

NOW_MS = 50_000

bases: st.SearchStrategy[ExpiryBase] = st.one_of(
    st.sampled_from((Since.NEVER, Since.COMMIT)), st.integers(NOW_MS - 8_000, NOW_MS)
)
groups = st.fixed_dictionaries(
    {
        "base": bases,
        "subscribed": st.sets(st.sampled_from("tu")),
        "members": st.booleans(),
        "offsets": st.dictionaries(
            st.tuples(st.sampled_from("tuv"), st.integers(0, 3)),
            st.tuples(
                st.integers(NOW_MS - 8_000, NOW_MS),
                st.one_of(st.just(-1), st.integers(NOW_MS - 10, NOW_MS + 10)),
                st.booleans(),
            ),
        ),
    }
)


def world_of(spec: dict[str, dict[str, Any]]) -> World:
    world = World()
    for name, of in spec.items():
        group = world.groups.groups[name] = FakeGroup()
        group.base, group.subscribed = of["base"], of["subscribed"]
        group.members = {"a": 1} if of["members"] else {}
        for (topic, partition), (at_ms, expires_ms, is_pending) in of["offsets"].items():
            key = OffsetCommitKey(group=name, topic=topic, partition=partition)
            value = OffsetCommitValue(offset=1, commit_timestamp=at_ms, expire_timestamp=expires_ms)
            world.offsets.apply(as_bytes(key, value))
            if is_pending:
                world.offsets.apply_pending(7, as_bytes(key, value))
    world.ms = NOW_MS
    return world


def stays(of: dict[str, Any], where: tuple[str, int]) -> bool:
    at_ms: int
    expires_ms: int
    at_ms, expires_ms, is_pending = of["offsets"][where]
    if is_pending or where[0] in of["subscribed"] or of["base"] is Since.NEVER:
        return True
    if expires_ms != -1:
        return expires_ms > NOW_MS
    since_ms: int = at_ms if of["base"] is Since.COMMIT else of["base"]
    return since_ms + CONFIG.retention_ms > NOW_MS


def sweep(world: World) -> int:
    """How many slices it took."""
    slices = 0
    while (deadline := world.offsets.next_deadline_ms()) is not None and deadline <= world.ms:
        outbox = world.outbox()
        world.offsets.advance(outbox)
        world.settle(outbox)
        slices += 1
    return slices


@given(st.dictionaries(st.sampled_from("abcd"), groups))
def test_a_sweep_agrees_with_the_model(spec: dict[str, dict[str, Any]]) -> None:
    world = world_of(spec)
    sweep(world)

    left = {name: [where for where in of["offsets"] if stays(of, where)] for name, of in spec.items()}
    assert set(everything(world.offsets.table)) == {(name, *where) for name, wheres in left.items() for where in wheres}
    assert set(world.groups.groups) == {name for name, of in spec.items() if left[name] or of["members"]}


def many(group: str, count: int) -> World:
    world = World()
    for partition in range(count):
        key = OffsetCommitKey(group=group, topic="t", partition=partition)
        world.offsets.apply(as_bytes(key, OffsetCommitValue(offset=1, commit_timestamp=0)))
    world.ms = NOW_MS
    return world


def test_a_sweep_comes_in_slices() -> None:
    world = many("g", 1000)
    outbox = world.outbox()
    world.offsets.advance(outbox)

    assert 0 < len(outbox.records) * expiry._TOMBSTONE_COST <= 2 * expiry.SLICE_COST_MAX
    assert world.offsets.next_deadline_ms() == 0, "what is left is due at once"
    world.settle(outbox)
    assert sweep(world) > 3
    assert len(world.offsets.table) == 0
    assert world.groups.groups == {}


def test_what_happens_between_slices_counts() -> None:
    world = many("g", 1000)
    world.settle(first := world.outbox())
    world.offsets.advance(first)
    key = OffsetCommitKey(group="g", topic="t", partition=999)
    world.offsets.apply(as_bytes(key, OffsetCommitValue(offset=2, commit_timestamp=NOW_MS)))
    sweep(world)

    assert everything(world.offsets.table) == {("g", "t", 999): 2}


def test_a_member_who_comes_between_slices_keeps_what_is_left() -> None:
    world = many("g", 1000)
    outbox = world.outbox()
    world.offsets.advance(outbox)
    world.groups.groups["g"].subscribed = {"t"}
    sweep(world)

    assert len(world.offsets.table) == 1000 - len(outbox.records)


def test_a_group_that_goes_between_slices() -> None:
    world = many("g", 1000)
    world.offsets.advance(world.outbox())
    world.offsets.delete_all("g", world.outbox())
    del world.groups.groups["g"]
    sweep(world)

    assert len(world.offsets.table) == 0


def test_nothing_is_due_before_the_log_is_read() -> None:
    world = World()
    world.offsets = type(world.offsets)(world.groups, CONFIG)

    assert world.offsets.next_deadline_ms() is None
