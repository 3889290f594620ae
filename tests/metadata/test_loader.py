from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
import trio.testing

from ottla.metadata.delta import Delta, MetadataError
from ottla.metadata.image import Image
from ottla.metadata.loader import LARGE_BATCH_RECORDS, Loader, Transactions, portions
from ottla.metadata.view import FailedCommand
from ottla.raft.client import CommittedBatch
from ottla.records import cluster_metadata as r
from tests.raft.test_client import append, record, started
from tests.support.memory_broker import formatted_log


class Follower:
    """A publisher that remembers, and a view that fails one command."""

    def __init__(self) -> None:
        self.images: list[Image] = []
        self.may_go_on = trio.Event()

    def publish(self, delta: Delta, image: Image) -> Follower:
        assert delta.before is (self.images[-1] if self.images else delta.before)
        self.images.append(image)
        return self

    async def wait(self) -> Sequence[FailedCommand]:
        await self.may_go_on.wait()
        return (FailedCommand("a", 3, "no space"),)


def test_transactions_take_effect_whole_or_not_at_all() -> None:
    begin, end, abort = r.BeginTransactionRecord(), r.EndTransactionRecord(), r.AbortTransactionRecord()
    one, two, three = record(1), record(2), record(3)
    transactions = Transactions()

    assert transactions.ready([one, begin, two]) == [one]
    assert transactions.is_open
    assert transactions.ready([three]) == []
    assert transactions.ready([end, one]) == [two, three, one]
    assert not transactions.is_open
    assert transactions.ready([begin, two, abort, three]) == [three]
    with pytest.raises(MetadataError, match="did not begin"):
        transactions.ready([end])
    transactions.ready([begin])
    with pytest.raises(MetadataError, match="inside another"):
        transactions.ready([begin])


def test_one_wake_is_one_image_and_served_is_what_the_data_plane_did() -> None:
    async def main() -> None:
        raft = await started(await formatted_log())
        follower, failed = Follower(), list[FailedCommand]()
        loader = Loader(raft, [follower], failed.append)
        served = trio.Event()

        async def wait_served(offset: int) -> None:
            await loader.wait_served(range(offset + 1))
            served.set()

        async with trio.open_nursery() as nursery:
            last = max(append(raft, number) for number in (10, 20, 30))
            nursery.start_soon(raft.run)
            nursery.start_soon(loader.run, last)
            nursery.start_soon(wait_served, last)
            await trio.testing.wait_all_tasks_blocked()
            assert [(i.next_producer_id, i.provenance.offset) for i in follower.images] == [(30, last)]
            assert loader.image is follower.images[0]
            assert not served.is_set()
            follower.may_go_on.set()
            await served.wait()
            assert failed == [FailedCommand("a", 3, "no space")]
            await loader.wait_served(range(last + 1))
            nursery.cancel_scope.cancel()

    trio.run(main)


class InTurn:
    """A publisher whose views end one by one, by the producer id of their image."""

    def __init__(self) -> None:
        self.ends: dict[int, trio.Event] = {}

    def publish(self, delta: Delta, image: Image) -> View:
        self.ends[image.next_producer_id] = trio.Event()
        return View(self.ends[image.next_producer_id])


class View:
    def __init__(self, end: trio.Event) -> None:
        self.end = end

    async def wait(self) -> Sequence[FailedCommand]:
        await self.end.wait()
        return ()


def test_what_is_served_does_not_wait_for_what_came_before() -> None:
    async def main() -> None:
        raft = await started(await formatted_log())
        views, served = InTurn(), list[str]()
        loader = Loader(raft, [views])

        async def wait_served(name: str, offsets: range) -> None:
            await loader.wait_served(offsets)
            served.append(name)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(raft.run)
            nursery.start_soon(loader.run, 0)
            await trio.testing.wait_all_tasks_blocked()
            views.ends[0].set()
            offsets = []
            for number in (10, 20, 30):
                offsets.append(append(raft, number))
                await trio.testing.wait_all_tasks_blocked()
            first, second, third = offsets
            await loader.wait_served(range(third + 1, third + 1))
            nursery.start_soon(wait_served, "second", range(second, second + 1))
            nursery.start_soon(wait_served, "second and third", range(second, third + 1))
            nursery.start_soon(wait_served, "all", range(third + 1))
            nursery.start_soon(wait_served, "fourth", range(third + 1, third + 2))
            nursery.start_soon(wait_served, "after the fourth", range(third + 2, third + 2))
            ended = []
            for number in (20, 30, 10):
                views.ends[number].set()
                await trio.testing.wait_all_tasks_blocked()
                ended.append(served.copy())
            assert ended[0] == ["second"]
            assert ended[1] == ["second", "second and third"]
            assert ended[2] == ["second", "second and third", "all"]
            await loader.wait_served(range(first, first + 1))
            append(raft, 40)
            await trio.testing.wait_all_tasks_blocked()
            assert served[3:] == ["after the fourth"], "of no records only the publication is waited for"
            views.ends[40].set()
            await trio.testing.wait_all_tasks_blocked()
            assert served[-1] == "fourth"
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_large_batch_is_published_apart_from_what_comes_with_it() -> None:
    def published(*sizes: int) -> list[list[int]]:
        batches = [CommittedBatch(0, size, 1, 0, [record(number) for number in range(size)], 100) for size in sizes]
        return [[len(batch.records) for batch in portion] for portion in portions(batches)]

    large = LARGE_BATCH_RECORDS + 1
    assert published(1, 2, 3) == [[1, 2, 3]]
    assert published(1, large, 2, large - 1) == [[1], [large], [2, large - 1]]
    assert published(large, large) == [[large], [large]]
