"""Records of transactions and their ends, as the runtime of a coordinator writes them."""

from __future__ import annotations

from collections.abc import Sequence

import trio
import trio.testing

from ottla.coordinator.log import Marker, Producer
from ottla.coordinator.machine import CoordinatorError, Outbox, Record, Reply
from ottla.coordinator.runtime import settled
from ottla.errors import ErrorCode
from tests.coordinator.leases import Leases, record
from tests.coordinator.test_runtime import Bench, code_of, running, simulated

PRODUCER = 7


async def put_pending(bench: Bench, name: str, value: int, guard: int | None = -1) -> int:
    """In the producer's transaction; with the right guard if none is given."""

    def operation(_machine: Leases, outbox: Outbox, reply: Reply[int]) -> None:
        outbox.emit(record(name, value))
        outbox.answer(reply, value)

    def then(machine: Leases, records: Sequence[Record], later: Sequence[Record]) -> None:
        machine.pending += [(PRODUCER, name) for _ in records]
        for each in later:
            machine.apply(each)

    if guard == -1:
        guard = await bench.runtime.verify(0, PRODUCER, 0, 2)
    return await bench.runtime.ask_in_transaction(0, Producer(PRODUCER, 0, guard, 2), operation, then)


async def end(bench: Bench, *, commit: bool = True) -> CoordinatorError | None:
    def then(machine: Leases, marker: Marker, later: Sequence[Record]) -> None:
        names = [name for producer_id, name in machine.pending if producer_id == marker.producer_id]
        machine.pending.clear()
        for name in names if marker.is_committed else ():
            machine.apply(record(name, 100))
        for each in later:
            machine.apply(each)

    (reply,) = bench.runtime.begin_marks([(0, Marker(PRODUCER, 1, 0, commit, 2))], then)
    try:
        await settled(reply)
    except CoordinatorError as error:
        return error
    return None


def test_a_transaction_is_a_batch_of_its_own_and_counts_when_it_is_committed() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            gate = bench.log().gate = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(bench.put, "a")
                nursery.start_soon(put_pending, bench, "b", 2)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(bench.put, "c")
                await trio.testing.wait_all_tasks_blocked()
                assert bench.machines[0].pending == []
                gate.set()
            assert [[row.key for row in batch] for batch in bench.log().batches] == [[b"a"], [b"b"], [b"c"]]
            assert list(bench.log().sources) == [1]
            assert bench.machines[0].pending == [(PRODUCER, "b")]
            assert await end(bench) is None
            assert await bench.get("b") == 100

    simulated(main)


def test_what_was_emitted_after_a_marker_counts_more() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            await put_pending(bench, "a", 1)
            gate = bench.log().gate = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(end, bench)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(bench.put, "a", 5)
                await trio.testing.wait_all_tasks_blocked()
                gate.set()
            assert await bench.get("a") == 5

    simulated(main)


def test_a_refused_producer_hurts_nobody_else() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            await bench.put("kept", 3)
            gate = bench.log().gate = trio.Event()
            codes: list[ErrorCode] = []
            answers: list[int] = []

            async def refused() -> None:
                codes.append(await code_of(put_pending(bench, "a", 1, guard=99)))

            async def asks() -> None:
                answers.append(await bench.get("kept"))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(refused)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(asks)
                await trio.testing.wait_all_tasks_blocked()
                assert answers == []
                gate.set()
            assert codes == [ErrorCode.INVALID_TXN_STATE]
            assert answers == [3]
            assert len(bench.machines) == 1
            bench.log().failures.append(ErrorCode.TRANSACTION_COORDINATOR_FENCED)
            outcome = await end(bench)
            assert outcome is not None
            assert outcome.code is ErrorCode.TRANSACTION_COORDINATOR_FENCED
            assert len(bench.machines) == 1

    simulated(main)


def test_a_log_that_fails_gives_up_the_machine_in_a_transaction_too() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            bench.log().failures.append(ErrorCode.NOT_ENOUGH_REPLICAS)
            assert await code_of(put_pending(bench, "a", 1)) is ErrorCode.COORDINATOR_NOT_AVAILABLE
            await trio.sleep(1)
            assert len(bench.machines) == 2
            assert bench.machines[1].pending == []
            assert await put_pending(bench, "a", 1) == 1

    simulated(main)


def test_a_marker_for_a_partition_that_is_led_elsewhere() -> None:
    async def main() -> None:
        async with running(Bench(), elect=False) as bench:
            outcome = await end(bench)
            assert outcome is not None
            assert outcome.code is ErrorCode.NOT_COORDINATOR
            assert await code_of(put_pending(bench, "a", 1)) is ErrorCode.NOT_COORDINATOR

    simulated(main)
