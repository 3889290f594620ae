from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
import trio.testing

from ottla.metadata.delta import Delta, MetadataError
from ottla.metadata.image import Image
from ottla.metadata.loader import Loader, Transactions
from ottla.metadata.view import FailedCommand
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
            await loader.wait_served(offset)
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
            await loader.wait_served(last)
            nursery.cancel_scope.cancel()

    trio.run(main)
