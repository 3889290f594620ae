"""Coordinators come up whatever is missing at that moment."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from ottla.server import coordinators
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k15_describe_groups import DescribeGroupsRequest
from tests.support.memory_broker import memory_broker

GROUP_ID_NOT_FOUND = 69


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """So many times there is no descriptor to read a module with."""
    left = iter(range(3))

    def machine_classes() -> None:
        for _ in left:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(coordinators, "_machine_classes", machine_classes)
    return left


@pytest.mark.parametrize("is_prepared", [False, True])
def test_a_lack_of_descriptors_is_waited_out(failures: Iterator[int], is_prepared: bool) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            if is_prepared:
                await broker.coordinators.prepare()
            found = await broker.ask(FindCoordinatorRequest(coordinator_keys=("g",)), 4)
            assert [each.error_code for each in found.coordinators] == [0]
            request = DescribeGroupsRequest(groups=("g",))
            # Simulated time: nothing but the retries is waited for.
            await trio.sleep(10 * coordinators.IMPORT_AGAIN_S)
            assert (await broker.ask(request, 6)).groups[0].error_code == GROUP_ID_NOT_FOUND
            assert next(failures, None) is None, "the modules were never asked for"

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
