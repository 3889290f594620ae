"""The logs of coordinators: one script against the model that their own tests use, and against an engine."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
import trio
import trio.testing

from ottla.coordinator.log import NO_PRODUCER_ID, LoadedRecord, LogError, LogRecord
from ottla.dataplane.coordinator_log import PlaneCoordinatorLogs
from ottla.errors import ErrorCode
from ottla.groups.offsets.table import OffsetTable, committed, offset_record, tombstone
from ottla.ids import ZERO_TOPIC_ID
from tests.dataplane.log_bench import (
    TIMEOUT_MS,
    TOPIC,
    Bench,
    Engine,
    Open,
    both,
    code_of,
    each,
    expect,
    load,
    on_engine,
    played,
    row,
    with_engine,
)
from tests.support.appending import Appending
from tests.support.engine import engine


@both
async def test_what_is_appended_is_loaded(bench: Bench) -> None:
    await bench.lead(3)
    log = bench.logs.open(TOPIC, 0, 3)
    assert await load(log) == []
    await Appending(log, [row("a", "1", 1_700_000_000_001), row("b", "2"), row("c", "")], TIMEOUT_MS).wait()
    await Appending(log, [row("b", None), row("a", "3", 1_700_000_000_009)], TIMEOUT_MS).wait()
    expected = [
        LoadedRecord(b"c", b"", 1_700_000_000_000, 2, NO_PRODUCER_ID, -1),
        LoadedRecord(b"a", b"3", 1_700_000_000_009, 4, NO_PRODUCER_ID, -1),
    ]
    assert await load(log) == expected
    assert all(type(loaded) is LoadedRecord for loaded in await load(log))


@both
async def test_appends_are_written_in_the_order_in_which_they_were_begun(bench: Bench) -> None:
    await bench.lead(0)
    log = bench.logs.open(TOPIC, 0, 0)
    begun = [Appending(log, [row("last", str(at)), row(str(at), "")], TIMEOUT_MS) for at in range(100)]
    found = await load(log)  # what was begun before the load is seen by it
    for appending in reversed(begun):
        await appending.wait()
    assert [loaded.key for loaded in found if loaded.key != b"last"] == [str(at).encode() for at in range(100)]
    assert [loaded.value for loaded in found if loaded.key == b"last"] == [b"99"]


@both
async def test_under_an_older_epoch_nothing_is_done(bench: Bench) -> None:
    await bench.lead(1)
    old = bench.logs.open(TOPIC, 0, 1)
    await Appending(old, [row("a", "1")], TIMEOUT_MS).wait()
    loading = old.load(None)
    await bench.lead(2)
    appending = Appending(old, [row("b", "1")], TIMEOUT_MS)
    assert await code_of(appending.wait) == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert await code_of(loading.next) == ErrorCode.NOT_LEADER_OR_FOLLOWER
    loading.close()
    assert [loaded.key for loaded in await load(bench.logs.open(TOPIC, 0, 2))] == [b"a"]


@both
async def test_a_load_may_be_closed_at_any_time_and_again(bench: Bench) -> None:
    await bench.lead(0)
    log = bench.logs.open(TOPIC, 0, 0)
    await Appending(log, [row(str(at), "value") for at in range(2_000)], TIMEOUT_MS).wait()
    for portions in range(3):
        loading = log.load(None)
        for _ in range(portions):
            assert await loading.next()
        loading.close()
        loading.close()
    assert len(await load(log)) == 2_000


@each
@pytest.mark.parametrize("seed", range(3))
def test_random_histories(opened: Open, tmp_path: Path, seed: int) -> None:
    drawn = random.Random(seed)

    async def main() -> None:
        async with opened(tmp_path) as bench:
            await bench.lead(0)
            log = bench.logs.open(TOPIC, 0, 0)
            model: dict[bytes, LoadedRecord] = {}
            offset = 0
            for at in range(60):
                rows = [
                    LogRecord(
                        drawn.choice("abcdef").encode() * 9,
                        None if drawn.random() < 0.2 else drawn.randbytes(drawn.randrange(40)),
                        1_700_000_000_000 + at,
                    )
                    for _ in range(1 + drawn.randrange(5))
                ]
                for each in rows:
                    model.pop(each.key, None)
                    if each.value is not None:
                        model[each.key] = LoadedRecord(*each, offset, NO_PRODUCER_ID, -1)
                    offset += 1
                await Appending(log, rows, TIMEOUT_MS).wait()
                if drawn.random() < 0.2:
                    assert await load(log) == list(model.values())

    played(main)


# --- what only an engine can do ---------------------------------------------------------------------------------------


@with_engine
async def test_a_partition_that_is_not_here(bench: Engine) -> None:
    log = bench.logs.open(TOPIC, 0, 0)
    appending = Appending(log, [row("a", "1")], TIMEOUT_MS)
    assert await code_of(appending.wait) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    loading = log.load(None)
    assert await code_of(loading.next) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    loading.close()
    assert await code_of(loading.next) == ErrorCode.NOT_LEADER_OR_FOLLOWER


@with_engine
async def test_refusals_have_words(bench: Engine) -> None:
    await bench.lead(0, max_message_bytes="1000")
    log = bench.logs.open(TOPIC, 0, 0)
    with pytest.raises(LogError, match=r"__consumer_offsets-0.* 1000") as raised:
        await Appending(log, [row("a", "x" * 1000)], TIMEOUT_MS).wait()
    assert raised.value.code == ErrorCode.MESSAGE_TOO_LARGE
    await bench.stop()
    with pytest.raises(LogError, match=r"__consumer_offsets-0 is not led here under leader epoch 0"):
        await Appending(log, [row("a", "x")], TIMEOUT_MS).wait()


@with_engine
async def test_what_a_replica_does_not_have_is_not_committed(bench: Engine) -> None:
    await bench.lead(0, isr=(1, 2))
    log = bench.logs.open(TOPIC, 0, 0)
    assert await code_of(Appending(log, [row("a", "1")], 1).wait) == ErrorCode.REQUEST_TIMED_OUT
    waits = Appending(log, [row("b", "2")], TIMEOUT_MS)
    loading = log.load(None)
    assert [loaded.key for loaded in await loading.next()] == [b"a", b"b"]
    ended = trio.Event()

    async def reach_the_end() -> None:
        assert not await loading.next()
        ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reach_the_end)
        await trio.testing.wait_all_tasks_blocked()
        assert not ended.is_set()
        await bench.lead(0)  # the replica leaves the ISR
        await waits.wait()
    assert ended.is_set()


@with_engine
async def test_who_gives_the_partition_up_lets_nobody_wait(bench: Engine) -> None:
    await bench.lead(0, isr=(1, 2))
    log = bench.logs.open(TOPIC, 0, 0)
    appending, loading = Appending(log, [row("a", "1")], TIMEOUT_MS), log.load(None)
    assert await loading.next()
    async with trio.open_nursery() as nursery:
        for waits in (appending.wait, loading.next):
            nursery.start_soon(expect, waits, ErrorCode.NOT_LEADER_OR_FOLLOWER)
        await trio.testing.wait_all_tasks_blocked()
        await bench.stop()


@with_engine
async def test_a_load_that_waits_may_be_closed(bench: Engine) -> None:
    await bench.lead(0, isr=(1, 2))
    log = bench.logs.open(TOPIC, 0, 0)
    Appending(log, [row("a", "1")], TIMEOUT_MS)
    loading = log.load(None)
    assert await loading.next()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect, loading.next, ErrorCode.NOT_LEADER_OR_FOLLOWER)
        await trio.testing.wait_all_tasks_blocked()
        loading.close()


@with_engine
async def test_flush_messages_holds_an_append_until_it_is_on_the_disk(bench: Engine) -> None:
    await bench.lead(0, flush_messages="1")
    log = bench.logs.open(TOPIC, 0, 0)
    for at in range(5):
        await Appending(log, [row(str(at), "x")], TIMEOUT_MS).wait()
    assert len(await load(log)) == 5


def test_what_was_committed_survives_a_crash(tmp_path: Path) -> None:
    async def written() -> None:
        async with on_engine(tmp_path, crashes=True) as bench:
            await bench.lead(0)
            log = bench.logs.open(TOPIC, 0, 0)
            await Appending(log, [row("a", "1"), row("b", "2")], TIMEOUT_MS).wait()
            await Appending(log, [row("a", None)], TIMEOUT_MS).wait()

    async def found() -> None:
        async with on_engine(tmp_path) as bench:
            await bench.lead(1)
            assert [loaded[:2] for loaded in await load(bench.logs.open(TOPIC, 0, 1))] == [(b"b", b"2")]

    played(written)
    played(found)


def test_offsets_go_into_their_table_and_the_rest_comes_up(tmp_path: Path) -> None:
    bits = random.Random(7)

    def offset_row(value: int) -> LogRecord:
        where = bits.choice("gh"), bits.choice("tu"), bits.randrange(40)
        if value % 5 == 0:
            key, _ = tombstone(*where)
            assert isinstance(key, bytes)
            return LogRecord(key, None, value)
        return LogRecord(*offset_record(*where, value, -1, "m" * (value % 2), value, -1, bytes(16)), value)

    async def main() -> None:
        async with on_engine(tmp_path) as bench:
            await bench.lead(0)
            log = bench.logs.open(TOPIC, 0, 0)
            beside, last = OffsetTable(), {}
            for value in range(300):
                rows = [offset_row(value), row(f"\0\2{value % 7}", str(value)), offset_row(value + 1)]
                await Appending(log, rows, TIMEOUT_MS).wait()
                last[rows[1].key] = rows[1].value
                for key, content, _ in (rows[0], rows[2]):
                    beside.apply(key, content)
            table = OffsetTable()
            assert {loaded.key: loaded.value for loaded in await load(log, table)} == last
            assert len(table) == len(beside) > 50
            for group in "gh":
                assert list(committed(table, group)) == list(committed(beside, group))
            # What cannot be read comes up, for whoever judges it.
            key, _ = offset_record("g", "t", 0, 1, -1, "", 1, -1, bytes(16))
            await Appending(log, [LogRecord(key, b"\0\x63", 0)], TIMEOUT_MS).wait()
            assert (key, b"\0\x63") in [loaded[:2] for loaded in await load(log, OffsetTable())]

    played(main)


def test_a_table_is_freed_by_the_engine_that_loaded_it(tmp_path: Path) -> None:
    """A million offsets take a tenth of a second to be freed, and the thread that gives them up serves everybody."""

    def large() -> OffsetTable:
        table = OffsetTable()
        for number in range(100_000):
            table.apply(*offset_record(f"group-{number}", "topic", 0, 1, -1, "", 0, -1, ZERO_TOPIC_ID))
        return table

    def freed_s(tables: list[OffsetTable]) -> float:
        begun_s = time.thread_time()
        tables.clear()
        return time.thread_time() - begun_s

    async def main() -> None:
        async with on_engine(tmp_path) as bench:
            await bench.lead(0)
            loaded, alone = [large()], [large()]
            await load(bench.logs.open(TOPIC, 0, 0), loaded[0])
            assert freed_s(loaded) < freed_s(alone) / 4

    played(main)


def test_after_the_engine_was_closed(tmp_path: Path) -> None:
    async def main() -> None:
        with engine(tmp_path) as serving:
            plane = serving.plane
            log = PlaneCoordinatorLogs(plane).open(TOPIC, 0, 0)
            loading, appending = log.load(None), Appending(log, [row("a", "1")], TIMEOUT_MS)
            plane.close(-1)
            assert await code_of(appending.wait) == ErrorCode.NOT_LEADER_OR_FOLLOWER
            assert await code_of(loading.next) == ErrorCode.NOT_LEADER_OR_FOLLOWER
            loading.close()
            assert await code_of(Appending(log, [row("a", "1")], TIMEOUT_MS).wait) == ErrorCode.NOT_LEADER_OR_FOLLOWER
            assert await code_of(log.load(None).next) == ErrorCode.NOT_LEADER_OR_FOLLOWER

    played(main)
