"""The engine and the line to it.

Prior art: Seastar's cross-core mailboxes. One socket pair wakes one Trio task, which drains everything: ends of
commands, facts, requests, in that order. Commands go down with a ticket each and end in exactly one ``Done``; whoever
sent one waits for its ticket. What a drain leads to at once, answers and appends, goes down together at its end, so
that threads below are woken once. Nothing here blocks the loop but the start and the end, before and after all else.

Invariants: a ticket is waited for once, and a second end of it is told and changes nothing; after ``close`` every
waiting ticket fails; the engine's threads block all signals; a reply that is held until the end of a drain is never
older than a View that it could depend on.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, final

import trio

from ottla import _core
from ottla.api.broker import LogDirView, ReplicaLogView
from ottla.clock import Clock
from ottla.dataplane.transactions import ActiveProducer, MarkerRow, Question, refused_all
from ottla.errors import ErrorCode
from ottla.ids import ZERO_UUID
from ottla.metadata.view import LeadPartition, StopPartition, ViewDelta

if TYPE_CHECKING:
    from ottla.api.table import Api

__all__ = [
    "CONNECTION_GONE",
    "Callbacks",
    "ClosedError",
    "CommandFailedError",
    "EngineOptions",
    "Fact",
    "Periods",
    "Plane",
    "Request",
    "Result",
    "plain_host",
]

CONNECTION_GONE: Final = "connection gone"
"""The subject of a fact that was asked for by ``Plane.watch_connections``."""
ENDED_TWICE: Final = "command ended twice"
"""The subject of a fact that is no fact of the engine's: the second end of a command was dropped."""
DRAIN_REQUESTS_MAX: Final = 64
"""Requests taken up at a time: between two drains the loop serves everything else."""


CATCH_UP_DRAINS_MAX: Final = 1_024
"""More than the mailbox holds: who is flooded with new requests does not wait for the last of them."""

WAKES_MAX: Final = 4096
"""Bytes taken from the socket pair at a time; each is one wake."""


class ClosedError(Exception):
    """The data plane was closed; whatever was asked of it will not be answered."""


class Request(NamedTuple):
    """A request that Python answers, as the data plane read it."""

    request_id: int
    api_key: int
    api_version: int
    client_id: str
    connection_id: int
    listener: str
    principal: str
    peer_host: str
    local: tuple[str, int]
    """The address that the client connected to: host and port."""
    received_ms: int
    """Wall clock."""
    asks_leave: bool
    """``Plane.leave`` is an answer to it."""
    body: bytes


class Fact(NamedTuple):
    """Something that happened below; a later fact of the same subject replaces the earlier."""

    subject: str
    """``log directory failed``, ``log directory full``, ``partition failed``, ``coordinator logs failed``,
    ``metadata log failed``, ``maintenance failed``, ``command ended twice``, or ``connection gone``."""
    text: str


@final
class Periods(NamedTuple):
    """How often what is done for the directory; it is looked at about once a second. Kafka's settings and defaults."""

    high_watermarks_ms: int = 5_000
    """``replica.high.watermark.checkpoint.interval.ms``"""
    recovery_points_ms: int = 60_000
    """``log.flush.offset.checkpoint.interval.ms``"""
    log_starts_ms: int = 60_000
    """``log.flush.start.offset.checkpoint.interval.ms``"""
    retention_ms: int = 300_000
    """``log.retention.check.interval.ms``"""
    delete_delay_ms: int = 60_000
    """``log.segment.delete.delay.ms``: until the directory of a deleted partition goes."""


@final
@dataclass(slots=True, frozen=True)
class EngineOptions:
    """What an engine is started with; the limits are Kafka's settings of the same meaning."""

    data_dir: Path
    node_id: int
    apis: Sequence[Api]
    network_threads: int
    frame_bytes_max: int
    idle_ms_max: int
    fetch_bytes_max: int
    fetch_sessions_max: int
    periods: Periods


Result: TypeAlias = Any
"""What a command ends with; whoever sends it knows."""


Ended: TypeAlias = Callable[[Result, Exception | None], None]
"""What is called with a command's value, or with why it has none: CommandFailedError, ClosedError."""


@dataclass(slots=True, frozen=True)
class Callbacks:
    """Who takes what comes up. None of them may block."""

    request: Callable[[Request], None]
    """It is answered by ``Plane.reply`` at any time."""
    fact: Callable[[Fact], None]
    closed_connection: Callable[[str], None]
    """Why one was closed."""
    drained: Callable[[], None]
    """Everything that had come is with those whom it concerns."""


@final
class _Ticket:
    """A command under way."""

    __slots__ = ("_done", "_error", "_value")

    def __init__(self) -> None:
        self._done = trio.Event()
        self._error: Exception | None = None
        self._value: Result = None

    def end(self, value: Result, error: Exception | None) -> None:
        self._value, self._error = value, error
        self._done.set()

    async def value(self) -> Result:
        await self._done.wait()
        if self._error is not None:
            raise self._error
        return self._value


class CommandFailedError(Exception):
    """The data plane refused or failed a command; the message names the file or partition, and the cause."""


@final
class Plane:
    """An engine and the line to it. One Trio thread uses it; ``run`` must be running for anything to be answered."""

    def __init__(self, options: EngineOptions, clock: Clock) -> None:
        """Locks the directory and starts the engine's threads. Blocks for some milliseconds. Raises ``OSError`` that
        names the directory, also when another broker holds it."""
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._tickets: dict[int, Ended] = {}
        self._next_ticket = 1
        self._closed = False
        self._on_question: Callable[[Question], None] = self._have_no_coordinator
        self._callbacks: Callbacks | None = None
        self._held: list[tuple[int, bytes | None]] = []
        """Replies until the end of the drain."""
        self._held_standing: list[tuple[int, bytes, _core.Standing]] = []
        self.is_draining = False
        """``Callbacks.drained`` will be called before this thread does anything else."""
        # Threads inherit the mask of the thread that starts them: a signal must never end up in the engine.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._engine = _core.Engine(
                str(options.data_dir),
                options.node_id,
                self._writer.fileno(),
                [_api_row(api) for api in options.apis],
                options.network_threads,
                options.frame_bytes_max,
                options.idle_ms_max,
                options.fetch_bytes_max,
                options.fetch_sessions_max,
                options.periods,
            )
        except BaseException:
            self._reader.close()
            self._writer.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        # Either clock shows whole milliseconds: so what is told in the engine's is never early here.
        self.zero_ms = clock.monotonic_ms() + 1 - self._engine.clock_ms()
        """The engine's zero on the monotonic clock."""
        self.directory_id = ZERO_UUID
        """Of the directory, once its ``meta.properties`` was read."""

    # --- up ---------------------------------------------------------------------------------------------------------

    async def run(self, callbacks: Callbacks) -> None:
        """Drains the mailbox for ever."""
        self._callbacks = callbacks
        while True:
            await trio.lowlevel.wait_readable(self._reader)
            self._reader.recv(WAKES_MAX)
            self._drain()

    async def caught_up(self) -> None:
        """Returns when every request that had been read when this was called is with its handler, and that has run up
        to its first wait: what was asked before a deadline is known before the deadline fires. ``run`` must be
        running."""
        for _ in range(CATCH_UP_DRAINS_MAX):
            if self._drain() < DRAIN_REQUESTS_MAX:
                break
            await trio.lowlevel.checkpoint()
        # Handlers start with the next pass of the loop, in any order with this task; with the one after, they have.
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()

    def _drain(self) -> int:
        """Takes up what has come; returns how many requests that were."""
        callbacks = self._callbacks
        assert callbacks is not None, "nobody takes requests yet"
        done, facts, requests, closed = self._engine.drain(DRAIN_REQUESTS_MAX)
        self.is_draining = True
        try:
            for ticket, succeeded, value in done:
                ended = self._tickets.pop(ticket, None)
                if ended is None:
                    # As when something panics that has told the end already: who waited has gone on, and so do we.
                    callbacks.fact(Fact(ENDED_TWICE, f"ticket {ticket}, the second time with {value!r:.200}"))
                elif succeeded:
                    ended(value, None)
                else:
                    ended(None, CommandFailedError(value))
            for fact in facts:
                callbacks.fact(Fact(*fact))
            for reason in closed:
                callbacks.closed_connection(reason)
            for question in self._engine.take_questions():
                self._on_question(Question._make(question))
            for request in requests:
                callbacks.request(Request._make(request))
            callbacks.drained()
        finally:
            self.is_draining = False
            if self._held:
                held, self._held = self._held, []
                self._engine.reply(held)
            if self._held_standing:
                standing, self._held_standing = self._held_standing, []
                self._engine.reply_standing(standing)
        return len(requests)

    def on_question(self, callback: Callable[[Question], None]) -> None:
        """From now on ``callback`` takes questions; it must not block, and each is to be answered by ``answer``. Before
        this is called nobody coordinates transactions."""
        self._on_question = callback

    def _have_no_coordinator(self, question: Question) -> None:
        self.answer(question.question_id, refused_all(question, ErrorCode.COORDINATOR_NOT_AVAILABLE))

    # --- down -------------------------------------------------------------------------------------------------------

    def adopt(self, connection: socket.socket, listener: str) -> None:
        """Gives an accepted connection to a network thread for life; the socket object is empty afterwards."""
        peer, local = connection.getpeername(), connection.getsockname()
        self._engine.adopt(connection.detach(), listener, plain_host(peer[0]), plain_host(local[0]), local[1])

    def reply(self, request_id: int, body: bytes) -> None:
        """Answers a request with the body of its response. An answer to a connection that is gone is dropped."""
        self._send(request_id, body)

    def leave(self, request_id: int) -> None:
        """Has the data plane handle a request itself that asked for leave: what it needs for that was said."""
        self._send(request_id, None)

    def _send(self, request_id: int, body: bytes | None) -> None:
        if self.is_draining:
            self._held.append((request_id, body))
        else:
            self._engine.reply([(request_id, body)])

    def reply_standing(self, request_id: int, body: bytes, used_ms: int, until_ms: int) -> _core.Standing:
        """Answers a request, and every later one of the same bytes on its connection, until what is returned is
        withdrawn, at ``until_ms``, or with the connection. A connection keeps few such answers; it may keep none. Both
        times, and those of what is returned, are on the monotonic clock that this was made with; ``used_ms``: the first
        use."""
        standing = _core.Standing(used_ms, until_ms, self.zero_ms)
        if self.is_draining:
            self._held_standing.append((request_id, body, standing))
        else:
            self._engine.reply_standing([(request_id, body, standing)])
        return standing

    def refuse(self, request_id: int, reason: str) -> None:
        """Closes the connection of a request that has no answer."""
        self._engine.refuse(request_id, reason)

    def answer(self, question_id: int, codes: Sequence[int]) -> None:
        """Answers a question with the coordinator's code for each of its partitions. An answer that nobody waits for is
        dropped."""
        self._engine.answer(question_id, codes)

    def set_transaction_rules(self, verify: bool, timeout_ms: int) -> None:
        """``transaction.partition.verification.enable``, and how long an answer may take (``request.timeout.ms``); may
        change at any time."""
        self._engine.configure_questions(verify, timeout_ms)

    def begin_append_markers(self, rows: Sequence[MarkerRow], timeout_ms: int, ended: Ended) -> None:
        """Writes the ends of transactions to partitions led here; begun at once. ``ended`` gets a code for each row
        when all that were written are committed or ``timeout_ms`` is over: NONE, INVALID_PRODUCER_EPOCH,
        TRANSACTION_COORDINATOR_FENCED, NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR,
        NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND, REQUEST_TIMED_OUT. With the last two it may be in the log
        all the same; it may be written again."""
        self.begin(lambda ticket: self._engine.append_markers(ticket, rows, timeout_ms), ended)

    async def append_markers(self, rows: Sequence[MarkerRow], timeout_ms: int) -> list[int]:
        """As ``begin_append_markers``, and waits."""
        codes: list[int] = await self._command(lambda ticket: self._engine.append_markers(ticket, rows, timeout_ms))
        return codes

    async def describe_producers(
        self, partitions: Sequence[tuple[bytes, int]]
    ) -> list[ErrorCode | list[ActiveProducer]]:
        """Who writes to these partitions (topic id, partition), as far as they know; or why that is not known here."""
        found = await self._command(lambda ticket: self._engine.describe_producers(ticket, partitions))
        return [ErrorCode(code) if code else list(map(ActiveProducer._make, rows)) for code, rows in found]

    def install(self, cluster: _core.Cluster | None, delta: ViewDelta) -> None:
        """Changes the View that requests are routed and answered by; later replies do not overtake it."""
        topics = [
            (topic.topic_id, topic.name, topic.internal, topic.partition_count, list(topic.partitions))
            for topic in delta.topics
        ]
        self._engine.install(cluster, topics, list(delta.removed_topic_ids))

    def begin_lead(
        self, partitions: Sequence[LeadPartition], settings: Mapping[bytes, _core.TopicSettings]
    ) -> Callable[[], Awaitable[Result]]:
        """Opens or creates the logs, recovers them, and takes writes. Waiting gives a row for each (``views.Led``)."""
        rows = [
            (
                lead.topic_id,
                lead.topic,
                lead.partition,
                lead.leader_epoch,
                lead.partition_epoch,
                list(lead.replicas),
                list(lead.isr),
                settings[lead.topic_id],
            )
            for lead in partitions
        ]
        return self.submit(lambda ticket: self._engine.lead(ticket, rows))

    def begin_stop(self, partitions: Sequence[StopPartition]) -> list[Callable[[], Awaitable[Result]]]:
        """Gives the partitions up; those with ``delete`` lose their logs."""
        return [
            self.submit(lambda ticket, rows=rows, delete=delete: self._engine.stop_partitions(ticket, rows, delete))  # type: ignore[misc]
            for delete in (False, True)
            if (rows := [(stop.topic_id, stop.topic, stop.partition) for stop in partitions if stop.delete == delete])
        ]

    def begin_configure(
        self, topic_id: bytes, topic: str, settings: _core.TopicSettings
    ) -> Callable[[], Awaitable[Result]]:
        """The settings of a topic changed."""
        return self.submit(lambda ticket: self._engine.configure(ticket, topic_id, topic, settings))

    async def set_strays_aside(self, keep: Iterable[tuple[bytes, int]]) -> list[str]:
        """Renames the logs on disk that are not in ``keep``, (topic id, partition); their new names."""
        rows = list(keep)
        names: list[str] = await self._command(lambda ticket: self._engine.stray_logs(ticket, rows))
        return names

    async def describe(self) -> Sequence[LogDirView]:
        """The log directory with all its logs (``LogDirs`` of ``ottla.api.broker``)."""
        path, total, usable, logs = await self._command(self._engine.describe_logs)
        views = [ReplicaLogView(topic, index, size, 0, False) for topic, index, size, _start, _end in logs]
        return [LogDirView(path, self.directory_id, True, total, usable, views)]

    def connection_census(self, listener: str, host: str) -> tuple[int, int, int]:
        """How many connections are open: all, on this listener, from this address."""
        return self._engine.connection_census(listener, host)

    def watch_connections(self) -> None:
        """The next connection that ends is told, once: a fact ``connection gone``."""
        self._engine.watch_connections()

    def evict_connection(self, protected: str) -> bool:
        """Ends the connection idle for the longest time, of those that did not come in on this listener; whether there
        was one."""
        return self._engine.evict_connection(protected)

    def connection_count(self) -> int:
        """Connections that are open now."""
        return self._engine.connection_count()

    # --- small files, before the loop runs ----------------------------------------------------------------------------

    def read_file(self, name: str) -> bytes | None:
        """A small file of the directory; blocks. None when there is none."""
        return self._engine.read_file(name)

    def write_file(self, name: str, content: bytes) -> None:
        """Replaces a small file of the directory, durably; blocks."""
        self._engine.write_file(name, content)

    def clean_broker_epoch(self) -> int:
        """The broker epoch under which the directory was closed well; -1 when it was not. Blocks for a small file."""
        return self._engine.clean_broker_epoch()

    # --- the end ----------------------------------------------------------------------------------------------------

    def close(self, broker_epoch: int) -> Sequence[str]:
        """Ends connections and threads, flushes every log and marks the directory clean, under the epoch of this
        broker. Blocks for as long as the disk takes: comes last, when the loop has nothing else to do. Returns what
        did not go well, for people."""
        problems = [] if self._closed else self._engine.stop(broker_epoch)
        self._end()
        return problems

    def abandon(self) -> None:
        """Ends connections and threads and leaves the directory as a crash would. Blocks until the threads are gone."""
        if not self._closed:
            self._engine.abandon()
        self._end()

    def _end(self) -> None:
        if self._closed:
            return
        self._closed = True
        tickets, self._tickets = self._tickets, {}
        for ended in tickets.values():
            ended(None, ClosedError("the data plane was closed"))
        self._reader.close()
        self._writer.close()
        # The lock of the directory goes with it, now and not with the next collection of garbage.
        del self._engine

    # --- commands ---------------------------------------------------------------------------------------------------

    def submit(self, send: Callable[[int], None]) -> Callable[[], Awaitable[Result]]:
        """Sends a command now, under a new ticket; what is returned waits for its end. Raises ClosedError."""
        waiting = _Ticket()
        self.begin(send, waiting.end)
        return waiting.value

    def begin(self, send: Callable[[int], None], ended: Ended) -> None:
        """Sends a command now, under a new ticket; ``ended`` is called once, later. Raises ClosedError."""
        if self._closed:
            raise ClosedError("the data plane was closed")
        ticket = self._next_ticket
        self._next_ticket += 1
        send(ticket)
        self._tickets[ticket] = ended

    async def _command(self, send: Callable[[int], None]) -> Result:
        return await self.submit(send)()

    @property
    def engine(self) -> _core.Engine:
        """For ``PlaneLog``."""
        return self._engine


def plain_host(host: str) -> str:
    """An IPv4 address in its own form, where a socket for both kinds says it as IPv6."""
    mapped = host.removeprefix("::ffff:")
    return mapped if "." in mapped else host


def _api_row(api: Api) -> tuple[int, int, int, int, int, bool, int]:
    from ottla.api.table import Side

    shown = api.versions if api.advertised is None else api.advertised
    python = api.side is Side.PYTHON
    return (api.key, api.versions[0], api.versions[-1], shown[0], shown[-1], python, int(api.lane))
