"""Runs the machines of a coordinator: one for each partition of its topic that this broker leads.

Prior art: Kafka's ``CoordinatorRuntime``, with its event queue per partition, loader threads and timer. Ours has one
thread and no queue: an operation runs at once, when its request arrives. What all requests that were taken up together
did to a partition is written as one batch, by ``write_out``, at the end of that drain or of this pass of the loop; what
nobody waits for, a little later.

Life of a partition: ``elect`` (load, then active), ``resign``. A failed append gives the machine up and loads again.

Invariants: requests that arrived before a deadline are delivered before it fires (``caught_up``); nothing is settled
before it is committed (``Shard``); a load that ends under another leader epoch is thrown away, with its task.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final, Generic, TypeVar, final

import trio

from ottla.clock import Clock
from ottla.coordinator.answers import Answers
from ottla.coordinator.log import (
    CoordinatorLogs,
    LogError,
    Marker,
    Producer,
)
from ottla.coordinator.machine import CoordinatorError, Machine, Now, Outbox, Record, Reply
from ottla.coordinator.replay import replay
from ottla.coordinator.shard import RecordCodec, Shard, State, client_error
from ottla.coordinator.slices import Slices
from ottla.coordinator.writing import Led, Writing
from ottla.errors import ErrorCode
from ottla.wire.codec import WireError

__all__ = ["LOADS_AT_ONCE", "CoordinatorRuntime", "settled"]

M = TypeVar("M", bound=Machine)
T = TypeVar("T")

LOADS_AT_ONCE: Final = 2
"""One applies records while another waits for some to be read. Each takes a slice of every pass of the loop, and others
wait for all of them; one after another, the first partition is there early, and the last no later."""
RETRY_MS: Final = 100
RETRY_MS_MAX: Final = 10_000
"""Between attempts to load what failed before: it may fail for long, and each attempt reads the whole log."""


async def _at_once() -> None:
    return


@final
class CoordinatorRuntime(Generic[M]):
    """The coordinator of one topic on one broker. ``run`` must be running for anything but refusals."""

    def __init__(
        self,
        logs: CoordinatorLogs,
        codec: RecordCodec,
        new_machine: Callable[[int, int], M],
        clock: Clock,
        *,
        append_timeout_ms: int,
        batch_bytes_max: Callable[[], int],
        writes_out_soon: Callable[[], bool] = lambda: False,
        caught_up: Callable[[], Awaitable[None]] = _at_once,
        report: Callable[[str, int, str], None] = lambda _event, _partition, _detail: None,
        loaded: Callable[[int, int, int], None] = lambda _partition, _records, _took_ms: None,
    ) -> None:
        """``new_machine``: an empty one for a partition and its leader epoch. ``batch_bytes_max``: max.message.bytes of
        the topic, now. ``writes_out_soon``: somebody will call ``write_out`` before this thread does anything else.
        ``caught_up``: returns when every request that the data plane had read when it was called is with its handler,
        and that has run up to its first wait. ``report``: what an operator should know: event, partition, detail.
        ``loaded``: partition, how many records it holds, how many milliseconds their loading took."""
        self._logs = logs
        self._codec = codec
        self._new_machine = new_machine
        self._clock = clock
        self._batch_bytes_max = batch_bytes_max
        self._caught_up = caught_up
        self._report = report
        self._loaded = loaded
        self._loads = trio.CapacityLimiter(LOADS_AT_ONCE)
        self._led: dict[int, Led[M]] = {}
        self._writing: Writing[M] = Writing(clock, append_timeout_ms, writes_out_soon, self._arm)
        self._answers = Answers()
        self._nursery: trio.Nursery | None = None
        self._armed_ms: int | None = None
        self._rearmed = trio.Event()

    # --- what handlers ask ------------------------------------------------------------------------------------------

    async def ask(self, partition: int, operation: Callable[[M, Outbox, Reply[T]], None], *, atomic: bool = True) -> T:
        """Runs ``operation`` before this gives way for the first time, and returns its answer when that may be known.
        ``atomic``: all it emits is written together; else what each ``emit`` is given is. Raises CoordinatorError."""
        return await settled(self.begin(partition, operation, atomic=atomic))

    def begin(
        self, partition: int, operation: Callable[[M, Outbox, Reply[T]], None], *, atomic: bool = True
    ) -> Reply[T]:
        """Runs ``operation`` now; what is returned is settled when its answer may be known."""
        return self._owe(partition, lambda shard, reply: self._begin(shard, operation, reply, atomic=atomic))

    async def ask_many(
        self, asked: Sequence[tuple[int, Callable[[M, Outbox, Reply[T]], None]]], *, atomic: bool = True
    ) -> list[T | CoordinatorError]:
        """Runs operations, each on its partition, in slices, and waits for all of them; the answers in their order."""
        slices = Slices()
        begun: list[Reply[T]] = []
        answers: list[T | CoordinatorError] = []
        try:
            for partition, operation in asked:
                begun.append(self.begin(partition, operation, atomic=atomic))
                await slices.pause()
            for reply in begun:
                try:
                    answer: T = await settled(reply)
                    answers.append(answer)
                except CoordinatorError as error:
                    answers.append(error)
        finally:
            for reply in begun:
                reply.forget()
        return answers

    async def ask_all(self, operation: Callable[[M, Outbox, Reply[T]], None]) -> list[T]:
        """Runs ``operation`` on every partition that is led here, and returns all answers. Those that are no longer led
        by then are left out; raises CoordinatorError for any other that fails, COORDINATOR_LOAD_IN_PROGRESS too."""
        answers: list[T] = []
        for answer in await self.ask_many([(partition, operation) for partition in self._led]):
            if not isinstance(answer, CoordinatorError):
                answers.append(answer)
            elif answer.code is not ErrorCode.NOT_COORDINATOR:
                raise answer
        return answers

    def tell(self, partition: int, operation: Callable[[M, Outbox], None]) -> None:
        """Runs ``operation`` now, if the partition is active; its emits are written each by itself."""
        led = self._led.get(partition)
        if led is not None and led.shard.machine is not None:
            self._perform(led.shard, operation, atomic=False)

    async def tell_all(self, operation: Callable[[M, Outbox], None]) -> None:
        """Runs ``operation`` on every active partition, in slices; its emits are written each by itself."""
        slices = Slices()
        for led in list(self._led.values()):
            if led.shard.machine is not None:
                self._perform(led.shard, operation, atomic=False)
                await slices.pause()

    # --- transactions -----------------------------------------------------------------------------------------------

    async def verify(
        self, partition: int, producer_id: int, producer_epoch: int, transaction_version: int
    ) -> int | None:
        """See ``CoordinatorLog.verification``. Raises CoordinatorError."""
        led = self._led.get(partition)
        if led is None:
            raise _not_led(partition)
        led.shard.require_active()
        try:
            return await led.log.verification(producer_id, producer_epoch, transaction_version).wait()
        except LogError as error:
            raise CoordinatorError(client_error(error.code), str(error)) from error

    async def ask_in_transaction(
        self,
        partition: int,
        producer: Producer,
        operation: Callable[[M, Outbox, Reply[T]], None],
        then: Callable[[M, Sequence[Record], Sequence[Record]], None],
    ) -> T:
        """Runs an operation whose records belong to a transaction; see ``Shard.perform_in_transaction``."""

        def perform(shard: Shard[M], reply: Reply[T]) -> None:
            shard.perform_in_transaction(self._now(), producer, operation, then, reply, self._batch_bytes_max())

        return await settled(self._owe(partition, perform))

    def begin_marks(
        self, marks: Sequence[tuple[int, Marker]], then: Callable[[M, Marker, Sequence[Record]], None]
    ) -> list[Reply[None]]:
        """Writes ends of transactions, each into its partition; see ``Shard.mark``. Each is settled when it is
        committed, or fails."""

        def perform(marker: Marker, shard: Shard[M], reply: Reply[None]) -> None:
            shard.mark(marker, lambda machine, later: then(machine, marker, later), reply)

        return [self._owe(partition, partial(perform, marker)) for partition, marker in marks]

    def machine(self, partition: int) -> M | None:
        """Of a partition that is active; to look at."""
        led = self._led.get(partition)
        return None if led is None else led.shard.machine

    def machines(self) -> Iterator[tuple[int, M]]:
        """Those that are active, with their partitions; to look at."""
        for partition, led in self._led.items():
            if led.shard.machine is not None:
                yield partition, led.shard.machine

    def state(self, partition: int) -> State | None:
        """Of a partition; None when it is not led here."""
        led = self._led.get(partition)
        return None if led is None else led.shard.state

    def _begin(
        self, shard: Shard[M], operation: Callable[[M, Outbox, Reply[T]], None], reply: Reply[T], *, atomic: bool
    ) -> None:
        def answered(machine: M, outbox: Outbox) -> None:
            try:
                operation(machine, outbox, reply)
            except CoordinatorError as error:
                # A refusal, too, may tell of what is not committed yet.
                outbox.refuse(reply, error.code, error.message)

        self._perform(shard, answered, atomic=atomic)

    def _owe(self, partition: int, perform: Callable[[Shard[M], Reply[T]], None]) -> Reply[T]:
        led = self._led.get(partition)
        if led is None:
            nobody: Reply[T] = Reply()
            nobody.fail(_not_led(partition))
            return nobody
        reply: Reply[T] = Reply(led.shard.owed)
        try:
            perform(led.shard, reply)
        except CoordinatorError as error:
            reply.fail(error)
        except BaseException:
            reply.forget()
            raise
        return reply

    def _perform(self, shard: Shard[M], operation: Callable[[M, Outbox], None], *, atomic: bool) -> None:
        try:
            shard.perform(self._now(), operation, self._batch_bytes_max(), atomic=atomic)
        finally:
            self._writing.touch(shard)

    def _now(self) -> Now:
        return Now(self._clock.monotonic_ms(), self._clock.wall_ms())

    # --- leadership -------------------------------------------------------------------------------------------------

    def elect(
        self, topic_id: bytes, partition: int, leader_epoch: int, ready: Callable[[], Awaitable[None]] = _at_once
    ) -> None:
        """This broker leads the partition under ``leader_epoch``: it is loaded once ``ready`` returns, when the log
        can be read. What an older epoch was at is given up; the same or a newer one is left as it is."""
        led = self._led.get(partition)
        if led is not None:
            if led.shard.leader_epoch >= leader_epoch:
                return
            self.resign(partition)
        log = self._logs.open(topic_id, partition, leader_epoch)
        self._start(Led(partition, leader_epoch, log, self._codec, ready, self._writing.wake, self._answers.give))

    def _start(self, led: Led[M]) -> None:
        led.shard.state = State.LOADING
        self._led[led.shard.partition] = led
        if self._nursery is not None:
            self._nursery.start_soon(self._live, led)

    def resign(self, partition: int) -> None:
        """This broker leads the partition no longer: everybody who waits gets NOT_COORDINATOR."""
        led = self._led.pop(partition, None)
        if led is not None:
            led.scope.cancel()
            self._answers.give_out()
            led.shard.unload(
                State.CLOSED, CoordinatorError(ErrorCode.NOT_COORDINATOR, f"partition {partition} is led elsewhere now")
            )

    def resign_all(self) -> None:
        """The topic is gone, or the broker stops."""
        for partition in list(self._led):
            self.resign(partition)

    # --- tasks ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                for led in self._led.values():
                    nursery.start_soon(self._live, led)
                nursery.start_soon(self._answers.run)
                nursery.start_soon(self._writing.run)
                await self._timers()
            finally:
                self._nursery = None

    async def _live(self, led: Led[M]) -> None:
        shard = led.shard
        with led.scope:
            await led.ready()
            await _unless_resigned()
            while True:
                if led.failures > 0:
                    await trio.sleep(min(RETRY_MS * 2 ** min(led.failures - 1, 20), RETRY_MS_MAX) / 1000)
                if await self._load(led):
                    error = await led.failed()
                    await _unless_resigned()
                    self._report("coordinator's append failed, loading again", shard.partition, str(error))
                    self._answers.give_out()
                    shard.unload(State.LOADING, CoordinatorError(client_error(error.code), str(error)))
                led.failures += 1

    async def _load(self, led: Led[M]) -> bool:
        """Whether the partition is active now."""
        shard = led.shard
        shard.state = State.LOADING
        machine = self._new_machine(shard.partition, shard.leader_epoch)

        def skipped(what: str) -> None:
            self._report("record of the coordinator's topic skipped", shard.partition, what)

        try:
            async with self._loads:
                begun_ms = self._clock.monotonic_ms()
                records = await replay(led.log, machine, self._codec, skipped)
                took_ms = self._clock.monotonic_ms() - begun_ms
            await _unless_resigned()
        except (LogError, WireError) as error:
            await _unless_resigned()
            shard.unload(State.FAILED, CoordinatorError(ErrorCode.NOT_COORDINATOR, str(error)))
            self._report("coordinator's partition cannot be loaded", shard.partition, str(error))
            return False
        shard.activate(machine, self._now())
        self._arm(shard.look_ahead())
        self._loaded(shard.partition, records, took_ms)
        return True

    # --- writing ----------------------------------------------------------------------------------------------------

    def write_out(self) -> None:
        """Begins to write what operations have left to be written, one batch for each partition; and finds out when
        there is something to do next."""
        self._writing.write_out()

    def flush(self) -> None:
        """Begins to write what would wait for company: this broker is about to stop."""
        self._writing.flush()

    # --- timers -----------------------------------------------------------------------------------------------------

    def _arm(self, due_ms: int | None) -> None:
        if due_ms is not None and (self._armed_ms is None or due_ms < self._armed_ms):
            self._armed_ms = due_ms
            self._rearmed.set()

    async def _timers(self) -> None:
        while True:
            self._armed_ms = _earliest(
                (self._writing.next_due_ms, *(led.shard.deadline_ms for led in self._led.values()))
            )
            self._rearmed = trio.Event()
            now_ms = self._clock.monotonic_ms()
            if self._armed_ms is None:
                await self._rearmed.wait()
            elif self._armed_ms > now_ms:
                with trio.move_on_after((self._armed_ms - now_ms) / 1000):
                    await self._rearmed.wait()
            else:
                await self._fire()

    async def _fire(self) -> None:
        """Lets machines do what was due when this began, after every request that had come by then."""
        now = self._now()
        await self._caught_up()
        self._writing.write_rested(now.monotonic_ms)
        slices = Slices()
        for led in list(self._led.values()):
            shard = led.shard
            if shard.deadline_ms is not None and shard.deadline_ms <= now.monotonic_ms:
                try:
                    shard.perform(now, _advance, self._batch_bytes_max(), atomic=False)
                except Exception as error:
                    # What is due would be due again at once, and for ever; and other partitions must not suffer.
                    self._report(
                        "coordinator's timers failed, loading again",
                        shard.partition,
                        f"{type(error).__name__}: {error}",
                    )
                    self._restart(led)
                else:
                    shard.look_ahead()
                await slices.pause()
        await trio.lowlevel.checkpoint()

    def _restart(self, led: Led[M]) -> None:
        """Gives a partition up and loads it again, a little later."""
        self.resign(led.shard.partition)
        shard = led.shard
        again: Led[M] = Led(
            shard.partition, shard.leader_epoch, led.log, self._codec, led.ready, self._writing.wake, self._answers.give
        )
        again.failures = led.failures + 1
        self._start(again)


async def settled(reply: Reply[T]) -> T:
    """Waits for an answer. Raises CoordinatorError."""
    try:
        if not reply.is_settled:
            settled = trio.Event()
            reply.when_settled(settled.set)
            await settled.wait()
        return reply.result()
    finally:
        reply.forget()


async def _unless_resigned() -> None:
    """Ends the task of a partition that was resigned after what it waited for had happened, and before it ran again: a
    cancellation is not told to who no longer waits, and the shard is closed."""
    await trio.lowlevel.checkpoint_if_cancelled()


def _not_led(partition: int) -> CoordinatorError:
    return CoordinatorError(
        ErrorCode.NOT_COORDINATOR, f"partition {partition} of the coordinator's topic is not led here"
    )


def _advance(machine: Machine, outbox: Outbox) -> None:
    machine.advance(outbox)


def _earliest(deadlines_ms: Iterable[int | None]) -> int | None:
    return min((deadline_ms for deadline_ms in deadlines_ms if deadline_ms is not None), default=None)
