from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
import trio.testing

from ottla.coordinator.log import BATCH_OVERHEAD_BYTES, RECORD_OVERHEAD_BYTES_MAX, LoadedRecord, LogRecord
from ottla.coordinator.machine import CoordinatorError, Outbox, Reply
from ottla.coordinator.runtime import LOADS_AT_ONCE, CoordinatorRuntime
from ottla.coordinator.shard import State
from ottla.errors import ErrorCode
from tests.coordinator.leases import LEASE_MS, Leases, TextCodec, record
from tests.support.coordinator_log import MemoryLogs, MemoryPartition, TrioClock

TOPIC = bytes(16)
E = ErrorCode


def simulated(main: Callable[[], Awaitable[None]]) -> None:
    """Runs with time that jumps to whatever is waited for."""
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@dataclass
class Bench:
    """A runtime, its logs, and the machines that it made."""

    logs: MemoryLogs = field(default_factory=MemoryLogs)
    machines: list[Leases] = field(default_factory=list)
    reports: list[tuple[str, int, str]] = field(default_factory=list)
    loaded: list[tuple[int, int, int]] = field(default_factory=list)
    batch_bytes_max: int = 10_000
    caught_up: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
    runtime: CoordinatorRuntime[Leases] = field(init=False)

    def __post_init__(self) -> None:
        self.runtime = CoordinatorRuntime(
            self.logs,
            TextCodec(),
            self.new_machine,
            TrioClock(),
            append_timeout_ms=5_000,
            batch_bytes_max=lambda: self.batch_bytes_max,
            caught_up=lambda: self.caught_up(),
            report=lambda *told: self.reports.append(told),
            loaded=lambda *told: self.loaded.append(told),
        )

    def new_machine(self, _partition: int, _leader_epoch: int) -> Leases:
        self.machines.append(Leases())
        return self.machines[-1]

    def log(self, partition: int = 0) -> MemoryPartition:
        return self.logs.partition(TOPIC, partition)

    def state(self) -> State | None:
        return self.runtime.state(0)

    async def put(self, name: str, value: int = 1, partition: int = 0) -> int:
        def operation(machine: Leases, outbox: Outbox, reply: Reply[int]) -> None:
            machine.put(outbox, name, value)
            outbox.answer(reply, value)

        return await self.runtime.ask(partition, operation)

    async def get(self, name: str) -> int:
        return await self.runtime.ask(
            0, lambda machine, outbox, reply: outbox.answer(reply, machine.values.get(name, -1))
        )

    async def renew(self, name: str) -> int:
        return await self.runtime.ask(0, lambda machine, outbox, reply: machine.renew(outbox, reply, name))

    async def wait(self) -> int:
        """An answer that does not come."""
        return await self.runtime.ask(0, lambda machine, _outbox, reply: machine.waiting.append(reply))


@asynccontextmanager
async def running(bench: Bench, *, elect: bool = True) -> AsyncIterator[Bench]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.runtime.run)
        if elect:
            bench.runtime.elect(TOPIC, 0, 0)
            await trio.testing.wait_all_tasks_blocked()
        yield bench
        nursery.cancel_scope.cancel()


async def active(bench: Bench) -> None:
    while bench.state() is not State.ACTIVE:  # noqa: ASYNC110 - simulated time
        await trio.sleep(0.01)


async def code_of(asked: Awaitable[int]) -> ErrorCode:
    with pytest.raises(CoordinatorError) as refused:
        await asked
    return refused.value.code


async def refused_with(code: ErrorCode, asked: Awaitable[int]) -> None:
    assert await code_of(asked) is code


def test_what_one_pass_does_is_one_append() -> None:
    async def main() -> None:
        async with running(Bench()) as bench, trio.open_nursery() as nursery:
            for index in range(20):
                nursery.start_soon(bench.put, f"n{index}")
        (batch,) = bench.log().batches
        assert sorted(row.key for row in batch) == sorted(f"n{index}".encode() for index in range(20))

    simulated(main)


def test_answers_wait_for_all_that_was_applied_before_them_and_come_in_order() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            bench.log().append_delay_ms = 100
            order: list[tuple[str, float]] = []

            async def note(name: str, asked: Awaitable[int]) -> None:
                order.append((f"{name}={await asked}", trio.current_time()))

            async with trio.open_nursery() as nursery:
                began = trio.current_time()
                nursery.start_soon(note, "put a", bench.put("a", 7))
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(note, "get a", bench.get("a"))
                await trio.testing.wait_all_tasks_blocked()
                # A second batch may not be sent before the first is known to be there.
                nursery.start_soon(note, "put b", bench.put("b", 8))
                await trio.testing.wait_all_tasks_blocked()
                assert bench.log().appends_begun == 1
                assert order == []
            # Those that are told in the same pass are told in any order.
            assert {told for told, _ in order[:2]} == {"put a=7", "get a=7"}
            assert order[2][0] == "put b=8"
            assert [round((at - began) * 1000) for _, at in order] == [100, 100, 200]
            assert await bench.get("b") == 8
            assert bench.log().appends_begun == 2

    simulated(main)


def test_a_refusal_waits_too() -> None:
    async def main() -> None:
        async with running(Bench()) as bench, trio.open_nursery() as nursery:
            bench.log().append_delay_ms = 100
            nursery.start_soon(bench.put, "a")
            await trio.testing.wait_all_tasks_blocked()
            began = trio.current_time()
            assert await code_of(bench.renew("b")) is E.UNKNOWN_MEMBER_ID
            assert trio.current_time() > began

            def refuses(_machine: Leases, _outbox: Outbox, _reply: Reply[int]) -> None:
                raise CoordinatorError(E.GROUP_ID_NOT_FOUND)

            assert await code_of(bench.runtime.ask(0, refuses)) is E.GROUP_ID_NOT_FOUND

    simulated(main)


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (E.NOT_ENOUGH_REPLICAS, E.COORDINATOR_NOT_AVAILABLE),
        (E.REQUEST_TIMED_OUT, E.COORDINATOR_NOT_AVAILABLE),
        (E.NOT_LEADER_OR_FOLLOWER, E.NOT_COORDINATOR),
        (E.KAFKA_STORAGE_ERROR, E.NOT_COORDINATOR),
        (E.MESSAGE_TOO_LARGE, E.UNKNOWN_SERVER_ERROR),
        (E.INVALID_RECORD, E.INVALID_RECORD),
    ],
)
@pytest.mark.parametrize("written", [False, True])
def test_a_failed_append_gives_up_what_was_not_written(failure: E, told: E, *, written: bool) -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            await bench.put("before", 1)
            bench.log().append_delay_ms = 10
            bench.log().failures.append(failure)
            bench.log().written_though_failed = written
            codes: list[ErrorCode] = []

            async def note(asked: Awaitable[int]) -> None:
                codes.append(await code_of(asked))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(note, bench.wait())
                nursery.start_soon(note, bench.put("lost", 2))
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(note, bench.get("lost"))
                nursery.start_soon(note, bench.put("after", 3))
            assert codes == [told] * 4
            assert await code_of(bench.get("before")) is E.COORDINATOR_LOAD_IN_PROGRESS
            await trio.sleep(1)
            assert bench.state() is State.ACTIVE
            assert await bench.get("before") == 1
            assert await bench.get("lost") == (2 if written else -1)
            assert await bench.get("after") == -1
            assert len(bench.machines) == 2
            assert [event for event, _, _ in bench.reports] == ["coordinator's append failed, loading again"]

    simulated(main)


def test_an_append_that_takes_too_long_fails() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            bench.log().append_delay_ms = 6_000
            assert await code_of(bench.put("a")) is E.COORDINATOR_NOT_AVAILABLE
            assert trio.current_time() == pytest.approx(5)

    simulated(main)


def test_appends_that_go_on_failing_are_tried_less_and_less() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            bench.log().failures.extend([E.NOT_ENOUGH_REPLICAS] * 6)
            for _ in range(6):
                await code_of(bench.put("a"))
                await active(bench)
            assert trio.current_time() > 0.1 + 0.2 + 0.4 + 0.8 + 1.6
            assert await bench.put("a") == 1

    simulated(main)


def test_while_it_loads_it_says_so() -> None:
    async def main() -> None:
        bench = Bench()
        bench.log().batches = [[LogRecord(f"n{index}".encode(), b"1", 0) for index in range(10)]]
        bench.log().load_delay_ms = 100
        assert await code_of(bench.get("n0")) is E.NOT_COORDINATOR
        async with running(bench):
            assert bench.state() is State.LOADING
            assert await code_of(bench.get("n0")) is E.COORDINATOR_LOAD_IN_PROGRESS
            with pytest.raises(CoordinatorError) as refused:
                await bench.runtime.ask_all(lambda _machine, outbox, reply: outbox.answer(reply, 1))
            assert refused.value.code is E.COORDINATOR_LOAD_IN_PROGRESS
            await trio.sleep(0.55)
            assert bench.state() is State.LOADING
            await trio.sleep(0.1)
            assert await bench.get("n9") == 1
            assert bench.machines[0].deadlines_ms["n9"] == 600 + LEASE_MS
            assert bench.loaded == [(0, 10, 600)]

    simulated(main)


def test_partitions_are_loaded_a_few_at_a_time() -> None:
    async def main() -> None:
        bench = Bench()
        partitions = 3 * LOADS_AT_ONCE
        for partition in range(partitions):
            bench.log(partition).load_delay_ms = 100
        async with running(bench, elect=False):
            for partition in range(partitions):
                bench.runtime.elect(TOPIC, partition, 0)
            await trio.sleep(0.05)
            for _ in range(3):
                assert sum(log.loads - log.closed_loads for log in bench.logs.partitions.values()) == LOADS_AT_ONCE
                await trio.sleep(0.1)
            assert [bench.runtime.state(partition) for partition in range(partitions)] == [State.ACTIVE] * partitions
            assert [took_ms for _, _, took_ms in bench.loaded] == [100] * partitions

    simulated(main)


def test_who_waits_for_a_load_may_be_resigned() -> None:
    async def main() -> None:
        bench = Bench()
        async with running(bench, elect=False):
            gate = trio.Event()
            for partition in range(LOADS_AT_ONCE + 1):
                bench.log(partition).gate = gate
                bench.runtime.elect(TOPIC, partition, 0)
            await trio.testing.wait_all_tasks_blocked()
            bench.runtime.resign(LOADS_AT_ONCE)
            bench.runtime.resign(0)
            bench.runtime.elect(TOPIC, LOADS_AT_ONCE, 1)
            gate.set()
            await trio.testing.wait_all_tasks_blocked()
            assert bench.runtime.state(LOADS_AT_ONCE) is State.ACTIVE

    simulated(main)


def test_it_does_not_load_before_the_log_is_ready() -> None:
    async def main() -> None:
        async with running(Bench(), elect=False) as bench:
            ready = trio.Event()
            bench.runtime.elect(TOPIC, 0, 0, ready.wait)
            await trio.testing.wait_all_tasks_blocked()
            assert bench.state() is State.LOADING
            assert bench.log().loads == 0
            ready.set()
            await trio.testing.wait_all_tasks_blocked()
            assert bench.state() is State.ACTIVE

    simulated(main)


def test_a_load_of_an_older_epoch_is_thrown_away() -> None:
    async def main() -> None:
        bench = Bench()
        bench.log().batches = [[LogRecord(f"n{index}".encode(), b"1", 0) for index in range(4)]]
        bench.log().load_delay_ms = 100
        async with running(bench):
            await trio.sleep(0.15)
            bench.log().batches.append([LogRecord(b"n9", b"9", 0)])
            bench.log().leader_epoch = 1
            bench.runtime.elect(TOPIC, 0, 1)
            bench.runtime.elect(TOPIC, 0, 1)
            bench.runtime.elect(TOPIC, 0, 0)
            await trio.sleep(1)
            assert await bench.get("n9") == 9
            assert bench.log().loads == bench.log().closed_loads == len(bench.machines) == 2

    simulated(main)


def test_who_is_deposed_unknowingly_finds_out_by_the_log() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            bench.log().leader_epoch = 1
            assert await code_of(bench.put("a")) is E.NOT_COORDINATOR
            await trio.sleep(1)
            assert bench.state() is State.FAILED
            assert await code_of(bench.get("a")) is E.NOT_COORDINATOR
            bench.runtime.elect(TOPIC, 0, 1)
            await trio.testing.wait_all_tasks_blocked()
            assert await bench.put("a") == 1

    simulated(main)


def test_resigning_refuses_everybody_who_waits() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            bench.log().append_delay_ms = 100
            codes: list[ErrorCode] = []

            async def note(asked: Awaitable[int]) -> None:
                codes.append(await code_of(asked))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(note, bench.wait())
                nursery.start_soon(note, bench.put("a"))
                await trio.testing.wait_all_tasks_blocked()
                bench.runtime.resign_all()
            assert codes == [E.NOT_COORDINATOR] * 2
            assert bench.state() is None
            assert await code_of(bench.get("a")) is E.NOT_COORDINATOR

    simulated(main)


@pytest.mark.parametrize("failure", [None, E.NOT_LEADER_OR_FOLLOWER])
def test_an_append_may_end_just_before_its_partition_is_resigned(failure: E | None) -> None:
    async def main() -> None:
        async with running(Bench()) as bench, trio.open_nursery() as nursery:
            bench.log().gate = gate = trio.Event()
            bench.log().failures.append(failure)
            nursery.start_soon(refused_with, E.NOT_COORDINATOR, bench.put("a"))
            await trio.testing.wait_all_tasks_blocked()
            gate.set()
            bench.runtime.resign(0)
            await trio.testing.wait_all_tasks_blocked()
            assert bench.reports == []
            bench.runtime.elect(TOPIC, 0, 1)
            await active(bench)
            assert await bench.get("a") == (1 if failure is None else -1)

    simulated(main)


@pytest.mark.parametrize("failure", [None, E.KAFKA_STORAGE_ERROR])
def test_a_load_may_end_just_before_its_partition_is_resigned(failure: E | None) -> None:
    async def main() -> None:
        async with running(Bench(), elect=False) as bench:
            bench.log().gate = gate = trio.Event()
            if failure is not None:
                bench.log().load_failures.append(failure)
            bench.runtime.elect(TOPIC, 0, 0)
            await trio.testing.wait_all_tasks_blocked()
            gate.set()
            bench.runtime.resign(0)
            await trio.testing.wait_all_tasks_blocked()
            assert (bench.log().loads, bench.log().closed_loads) == (1, 1)
            assert bench.reports == []

    simulated(main)


def test_a_log_may_be_ready_just_before_its_partition_is_resigned() -> None:
    async def main() -> None:
        async with running(Bench(), elect=False) as bench:
            ready = trio.Event()
            bench.runtime.elect(TOPIC, 0, 0, ready.wait)
            await trio.testing.wait_all_tasks_blocked()
            ready.set()
            bench.runtime.resign(0)
            await trio.testing.wait_all_tasks_blocked()
            assert bench.log().loads == 0

    simulated(main)


def test_a_load_that_fails_is_tried_again() -> None:
    async def main() -> None:
        bench = Bench()
        bench.log().load_failures.extend([E.KAFKA_STORAGE_ERROR] * 2)
        async with running(bench):
            assert bench.state() is State.FAILED
            assert await code_of(bench.get("a")) is E.NOT_COORDINATOR
            await trio.sleep(0.31)
            assert bench.state() is State.ACTIVE
            assert bench.log().closed_loads == 3

    simulated(main)


def test_records_that_nobody_knows_are_passed_over_and_broken_ones_are_not() -> None:
    async def main() -> None:
        bench = Bench()
        bench.log().batches = [[LogRecord(key, b"1", 0) for key in (b"?1", b"?2", b"a")]]
        bench.log().pending = [LoadedRecord(b"p", b"2", 0, 3, 4711, 0)]
        async with running(bench):
            assert bench.machines[0].values == {"a": 1}
            assert bench.machines[0].pending == [(4711, "p")]
            skipped = ("record of the coordinator's topic skipped", 0, "no records of this type")
            assert bench.reports == [skipped]
            bench.log().batches.append([LogRecord(b"b", b"broken", 0)])
            bench.runtime.elect(TOPIC, 0, 1)
            await trio.testing.wait_all_tasks_blocked()
            assert bench.state() is State.FAILED

    simulated(main)


def test_an_operation_that_is_too_large_changes_nothing() -> None:
    async def main() -> None:
        one = BATCH_OVERHEAD_BYTES + RECORD_OVERHEAD_BYTES_MAX + len("abc") + len("1")
        async with running(Bench(batch_bytes_max=2 * one)) as bench:
            assert await bench.put("abc") == 1
            assert await code_of(bench.put("a" * (2 * one))) is E.UNKNOWN_SERVER_ERROR
            assert await code_of(bench.put("unwritable")) is E.UNKNOWN_SERVER_ERROR

            def three(_machine: Leases, outbox: Outbox, reply: Reply[int]) -> None:
                outbox.emit(*(record(name * 30, 1) for name in "abc"))
                outbox.answer(reply, 1)

            assert await code_of(bench.runtime.ask(0, three)) is E.UNKNOWN_SERVER_ERROR
            assert bench.machines[0].values == {"abc": 1}
            assert len(bench.log().batches) == 1
            # What says that its parts stand for themselves goes out in several.
            assert await bench.runtime.ask(0, three, atomic=False) == 1
            assert [len(batch) for batch in bench.log().batches] == [1, 2, 1]

    simulated(main)


def test_operations_are_not_parted_between_batches() -> None:
    async def main() -> None:
        bench = Bench(batch_bytes_max=BATCH_OVERHEAD_BYTES + 3 * (RECORD_OVERHEAD_BYTES_MAX + 2))

        async def pair(name: str) -> int:
            def operation(machine: Leases, outbox: Outbox, reply: Reply[int]) -> None:
                machine.put(outbox, name, 1)
                machine.put(outbox, name, 2)
                outbox.answer(reply, 0)

            return await bench.runtime.ask(0, operation)

        async with running(bench), trio.open_nursery() as nursery:
            for name in "abcd":
                nursery.start_soon(pair, name)
        assert [len(batch) for batch in bench.log().batches] == [2, 2, 2, 2]
        assert all(first.key == second.key for first, second in bench.log().batches)

    simulated(main)


def test_deadlines_fire_when_they_are_due() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            await bench.put("a")
            await trio.sleep(0.5)
            await bench.put("b")
            await trio.sleep(0.4)
            await bench.renew("a")
            await trio.sleep(5)
            assert bench.machines[0].expired_at_ms == [("b", 1500), ("a", 1900)]
            assert bench.log().batches[-1] == [LogRecord(b"a", None, TrioClock.START_MS + 1900)]

    simulated(main)


def test_requests_that_came_before_a_deadline_are_delivered_before_it_fires() -> None:
    async def main() -> None:
        bench = Bench()

        async def deliver() -> None:
            """The mailbox holds a request that the loop, late as it is, has not seen."""
            bench.caught_up = trio.lowlevel.checkpoint
            assert await bench.renew("late") == 1

        bench.caught_up = deliver
        async with running(bench):
            await bench.put("late")
            await trio.sleep(LEASE_MS / 1000)
            await trio.testing.wait_all_tasks_blocked()
            assert bench.machines[0].expired_at_ms == []
            await trio.sleep(LEASE_MS / 1000)
            await trio.testing.wait_all_tasks_blocked()
            assert bench.machines[0].expired_at_ms == [("late", 2 * LEASE_MS)]

    simulated(main)


def test_timers_that_fail_hurt_their_own_partition_alone() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            bench.runtime.elect(TOPIC, 1, 0)
            await trio.testing.wait_all_tasks_blocked()
            await bench.put("a")
            await bench.put("b", partition=1)
            bench.machines[0].advance = None  # type: ignore[method-assign, assignment]
            await trio.sleep(1.5)
            assert [machine.expired_at_ms for machine in bench.machines] == [[], [("b", 1000)], []]
            assert [event for event, _, _ in bench.reports] == ["coordinator's timers failed, loading again"]
            assert await bench.get("a") == 1

    simulated(main)


def test_everybody_is_asked_and_told() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            bench.runtime.elect(TOPIC, 1, 0)
            await trio.testing.wait_all_tasks_blocked()
            await bench.put("a")
            await bench.put("b", partition=1)
            names: list[list[str]] = await bench.runtime.ask_all(
                lambda machine, outbox, reply: outbox.answer(reply, list(machine.values))
            )
            assert sorted(names) == [["a"], ["b"]]
            await bench.runtime.tell_all(
                lambda machine, outbox: outbox.emit(*(record(n, None) for n in machine.values))
            )
            assert await bench.get("a") == -1

    simulated(main)
