"""Batches that nobody waits for wait for company themselves."""

from __future__ import annotations

import trio
import trio.testing

from ottla.coordinator.machine import Outbox
from ottla.coordinator.writing import REST_MS
from tests.coordinator.leases import Leases, record
from tests.coordinator.test_runtime import Bench, running, simulated


def put_untold(bench: Bench, name: str) -> None:
    def operation(_machine: Leases, outbox: Outbox) -> None:
        outbox.emit(record(name, 1))

    bench.runtime.tell(0, operation)


def keys(bench: Bench) -> list[list[bytes]]:
    return [[row.key for row in batch] for batch in bench.log().batches]


def test_it_goes_with_the_next_that_somebody_waits_for() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            put_untold(bench, "a")
            await trio.testing.wait_all_tasks_blocked()
            assert keys(bench) == []
            await bench.put("b")
            assert keys(bench) == [[b"a", b"b"]]
            assert trio.current_time() * 1000 < REST_MS

    simulated(main)


def test_who_looks_at_it_waits_for_it() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            put_untold(bench, "a")
            await trio.testing.wait_all_tasks_blocked()
            assert await bench.get("a") == 1
            assert keys(bench) == [[b"a"]]

    simulated(main)


def test_it_does_not_wait_for_ever() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            for name in ("a", "b"):
                put_untold(bench, name)
                await trio.sleep(REST_MS / 2000)
            put_untold(bench, "c")
            await trio.sleep(REST_MS / 4000)
            assert keys(bench) == [[b"a", b"b", b"c"]]
            await trio.sleep(REST_MS / 4000)
            put_untold(bench, "d")
            await trio.sleep(2 * REST_MS / 1000)
            assert keys(bench) == [[b"a", b"b", b"c"], [b"d"]]

    simulated(main)


def test_it_is_written_before_the_end() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            put_untold(bench, "a")
            await trio.testing.wait_all_tasks_blocked()
            bench.runtime.flush()
            await trio.testing.wait_all_tasks_blocked()
            assert keys(bench) == [[b"a"]]

    simulated(main)


def test_a_partition_that_goes_takes_it_along() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            put_untold(bench, "a")
            await trio.testing.wait_all_tasks_blocked()
            bench.runtime.resign(0)
            await trio.sleep(2 * REST_MS / 1000)
            bench.runtime.tell(0, lambda _machine, _outbox: None)
            assert keys(bench) == []

    simulated(main)
