from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from ottla.clock import ManualClock
from ottla.raft.client import BATCH_BYTES_MAX, BatchTooLargeError, CommittedBatch, RaftClient, Retention
from ottla.raft.core import NotLeaderError, Role
from ottla.raft.log import LogFailedError, SnapshotId
from ottla.records.cluster_metadata import FeatureLevelRecord, NoOpRecord, ProducerIdsRecord
from tests.support.memory_broker import CODEC, formatted_log, local_voter
from tests.support.memory_log import MemoryLog


def record(number: int) -> ProducerIdsRecord:
    return ProducerIdsRecord(broker_id=1, broker_epoch=0, next_producer_id=number)


def append(raft: RaftClient, *numbers: int) -> int:
    records = [record(number) for number in numbers]
    return raft.append(records, [CODEC.encode(each, 33) for each in records])


def numbers(batches: Sequence[CommittedBatch]) -> list[int]:
    return [each.next_producer_id for batch in batches for each in batch.records if isinstance(each, ProducerIdsRecord)]


async def started(log: MemoryLog, loaded: list[CommittedBatch] | None = None) -> RaftClient:
    raft = RaftClient(log, local_voter(), CODEC, ManualClock())
    await raft.start((loaded if loaded is not None else []).append)
    return raft


def test_first_start_writes_what_kafka_writes() -> None:
    async def main() -> None:
        log = await formatted_log()
        loaded: list[CommittedBatch] = []
        raft = await started(log, loaded)

        assert raft.core.role is Role.LEADER
        assert loaded == [], "the bootstrap snapshot is for the controller"
        assert [type(each) for each in raft.bootstrap_records] == [FeatureLevelRecord] * 6
        (batch,) = log.batches
        assert (batch.base_offset, batch.epoch, batch.control, len(batch.records)) == (0, 1, True, 3)
        assert [key for key, _ in batch.records] == [b"\0\0\0\2", b"\0\0\0\5", b"\0\0\0\6"]
        assert log.quorum_states == [
            b'{"leaderId":-1,"leaderEpoch":1,"votedId":1,"votedDirectoryId":"ZGVmZ2hpamtsbW5vcHFycw","data_version":1}',
            b'{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}',
        ]

    trio.run(main)


def test_committed_when_durable_and_not_before() -> None:
    async def main() -> None:
        log = await formatted_log(hold=True)
        raft = await started(log)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(raft.run)
            assert append(raft, 10, 11) == 3
            assert append(raft, 12) == 5
            with trio.move_on_after(0.01) as scope:
                await raft.wait_committed(3)
            assert scope.cancelled_caught
            log.sync()
            await raft.wait_committed(5)
            assert raft.high_watermark == 6
            batches = await raft.committed()
            assert [(b.base_offset, b.end_offset) for b in batches] == [(0, 3), (3, 5), (5, 6)]
            assert numbers(batches) == [10, 11, 12]
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_everybody_learns_that_the_log_failed() -> None:
    async def main() -> None:
        log = await formatted_log(hold=True)
        raft = await started(log)
        told: list[str] = []

        async def wait_for(offset: int) -> None:
            with pytest.raises(LogFailedError, match="no space"):
                await raft.wait_committed(offset)
            told.append("waiter")

        async def run() -> None:
            with pytest.raises(LogFailedError, match="no space"):
                await raft.run()
            told.append("run")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            offset = append(raft, 1)
            nursery.start_soon(wait_for, offset)
            await trio.testing.wait_all_tasks_blocked()
            log.fail()
        assert sorted(told) == ["run", "waiter"]
        with pytest.raises(LogFailedError):
            await raft.committed()
        with pytest.raises(LogFailedError):
            await raft.wait_committed(offset)
        with pytest.raises(LogFailedError):
            append(raft, 2)

    trio.run(main)


def test_a_batch_that_is_too_large_changes_nothing() -> None:
    async def main() -> None:
        raft = await started(await formatted_log())
        end = raft.end_offset
        with pytest.raises(BatchTooLargeError):
            raft.append([NoOpRecord()], [bytes(BATCH_BYTES_MAX)])
        assert raft.end_offset == end
        raft.core.resign()
        with pytest.raises(NotLeaderError):
            append(raft, 1)

    trio.run(main)


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=15))
def test_what_was_committed_survives_a_crash_and_the_rest_is_a_prefix(steps: list[tuple[int, bool]]) -> None:
    async def main() -> None:
        log = await formatted_log(hold=True)
        raft = await started(log)
        appended: list[int] = []
        committed: list[int] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(raft.run)
            for count, sync in steps:
                batch = range(len(appended), len(appended) + count)
                append(raft, *batch)
                appended += batch
                if sync:
                    log.sync()
                    await raft.wait_committed(raft.end_offset - 1)
                    committed += numbers(await raft.committed())
            nursery.cancel_scope.cancel()
        assert committed == appended[: len(committed)]

        loaded: list[CommittedBatch] = []
        again = await started(log.crash(), loaded)
        assert numbers(loaded)[: len(committed)] == committed
        assert numbers(loaded) == appended[: len(numbers(loaded))]
        assert again.core.epoch == 2

    trio.run(main)


def test_snapshots_let_the_log_go() -> None:
    async def main() -> None:
        log = await formatted_log()
        raft = await started(log)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(raft.run)
            ids = []
            for number in range(3):
                offset = append(raft, number)
                await raft.wait_committed(offset)
                ids.append(SnapshotId(offset + 1, 1))
                await raft.write_snapshot(ids[-1], 77, [[CODEC.encode(record(number), 33)]])
            nursery.cancel_scope.cancel()

        await raft.clean(Retention(bytes_max=-1, age_ms_max=-1))
        assert [each.id for each in await log.snapshots()] == [SnapshotId(0, 0), *ids], "nothing is too old or too much"
        await raft.clean(Retention(bytes_max=0, age_ms_max=-1))
        assert [each.id for each in await log.snapshots()] == ids[-1:], "the newest always stays"
        assert log.start_offset == ids[-1].end_offset

        loaded: list[CommittedBatch] = []
        again = await started(log, loaded)
        assert numbers(loaded) == [2]
        assert loaded[0].timestamp_ms == 77
        assert again.kraft_version == 1
        assert len(log.batches[0].records) == 1, "the voters are in the snapshot"

    trio.run(main)


def test_old_snapshots_go_by_age() -> None:
    async def main() -> None:
        log = await formatted_log()
        raft = await started(log)
        now_ms = ManualClock().wall_ms()
        await raft.write_snapshot(SnapshotId(2, 1), now_ms - 500, [])
        await raft.write_snapshot(SnapshotId(3, 1), now_ms - 500, [])
        await raft.clean(Retention(bytes_max=-1, age_ms_max=1000))
        assert [each.id for each in await log.snapshots()] == [SnapshotId(2, 1), SnapshotId(3, 1)]

    trio.run(main)
