"""Responses that are sent by whoever has the log."""

from __future__ import annotations

import trio
import trio.testing

from ottla.api.pending import Pending
from ottla.coordinator.log import SentReply
from ottla.coordinator.machine import CoordinatorError, Outbox, Reply
from ottla.errors import ErrorCode
from tests.coordinator.leases import Leases
from tests.coordinator.test_runtime import Bench, running, simulated


def begin(bench: Bench, request_id: int, told: list[str], *, is_fixed: bool = True, encodes: bool = True) -> None:
    """A request that puts a value, and what its sender is told."""

    def operation(machine: Leases, outbox: Outbox, reply: Reply[int]) -> None:
        machine.put(outbox, f"r{request_id}", request_id)
        outbox.answer(reply, request_id)

    pending: Pending[str] = Pending(bench.runtime.begin(0, operation), _failed, str, is_fixed=is_fixed)
    pending.when_ready(
        lambda: told.append(pending.response()),
        lambda response: SentReply(request_id, response.encode()) if encodes else None,
    )


def _failed(error: CoordinatorError) -> int:
    return -error.code


def test_a_fixed_response_goes_with_the_append_and_its_sender_is_not_called() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            told: list[str] = []
            begin(bench, 1, told)
            begin(bench, 2, told, is_fixed=False)
            begin(bench, 3, told, encodes=False)
            await trio.testing.wait_all_tasks_blocked()
            assert bench.log().replies == [SentReply(1, b"1")]
            assert told == ["2", "3"]

    simulated(main)


def test_nothing_was_sent_when_the_append_fails() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            told: list[str] = []
            bench.log().failures.append(ErrorCode.NOT_LEADER_OR_FOLLOWER)
            begin(bench, 1, told)
            await trio.testing.wait_all_tasks_blocked()
            assert told == [f"{-ErrorCode.NOT_COORDINATOR}"]
            await trio.sleep(1)
            bench.log().gate = trio.Event()
            begin(bench, 2, told)
            await trio.testing.wait_all_tasks_blocked()
            bench.runtime.resign(0)
            assert told == [f"{-ErrorCode.NOT_COORDINATOR}"] * 2

    simulated(main)


def test_an_answer_that_comes_while_its_batch_is_under_way_is_sent_afterwards() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            gate = bench.log().gate = trio.Event()
            told: list[str] = []
            begin(bench, 1, told)
            await trio.testing.wait_all_tasks_blocked()
            reply: Reply[int] = bench.runtime.begin(0, lambda _machine, outbox, reply: outbox.answer(reply, 7))
            pending: Pending[int] = Pending(reply, lambda _error: -1, is_fixed=True)
            pending.when_ready(lambda: told.append(f"{pending.response()}"), lambda _response: SentReply(9, b""))
            gate.set()
            await trio.testing.wait_all_tasks_blocked()
            assert (told, [reply.request_id for reply in bench.log().replies]) == (["7"], [1])

    simulated(main)


def test_many_responses_are_made_some_at_a_time() -> None:
    async def main() -> None:
        async with running(Bench()) as bench:
            told: list[str] = []
            for request_id in range(100):
                begin(bench, request_id, told)
            await trio.testing.wait_all_tasks_blocked()
            assert (len(told), bench.log().replies) == (100, [])

    simulated(main)
