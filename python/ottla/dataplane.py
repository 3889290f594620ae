"""The data plane as the control plane sees it: the only importer of the engine in ``ottla._core``.

Prior art: Seastar's cross-core mailboxes. One socket pair wakes one Trio task, which drains everything: ends of
commands, facts, requests, in that order. Commands go down with a ticket each and end in exactly one ``Done``; whoever
sent one waits for its ticket. Nothing here blocks the loop but the start and the end, before and after all else.

Invariants: a ticket is waited for once; after ``close`` every waiting ticket fails; the engine's threads block all
signals.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, final

import trio

from ottla import _core
from ottla.api.broker import LogDirView, ReplicaLogView
from ottla.ids import ZERO_UUID
from ottla.metadata.view import BrokerView, FailedCommand, LeadPartition, PendingView, StopPartition, ViewDelta
from ottla.raft.log import Batch, LogFailedError, LogRecord, SnapshotFile, SnapshotId, SnapshotNotFoundError

if TYPE_CHECKING:
    from ottla.api.table import Api
    from ottla.config.topic import TopicSettings

__all__ = [
    "ClosedError",
    "CommandFailedError",
    "EngineOptions",
    "Fact",
    "Led",
    "Periods",
    "Plane",
    "PlaneLog",
    "Request",
    "ViewPublisher",
    "engine_settings",
]

DRAIN_REQUESTS_MAX: Final = 64
"""Requests taken up at a time: between two drains the loop serves everything else."""


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
    local_host: str
    local_port: int
    received_ms: int
    """Wall clock."""
    body: bytes


class Fact(NamedTuple):
    """Something that happened below; a later fact of the same subject replaces the earlier."""

    subject: str
    """``log directory failed``, ``log directory full``, or ``partition failed``."""
    text: str


class Led(NamedTuple):
    """How the opening of one partition went."""

    topic_id: bytes
    partition: int
    recovered_bytes: int
    """Read again since they were not known to be flushed."""
    error: str | None


@final
class Periods(NamedTuple):
    """How often the directory is looked after, at most once a second; Kafka's settings and defaults."""

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


_Result: TypeAlias = Any


@final
class _Ticket:
    """A command under way."""

    __slots__ = ("_done", "_error", "_value")

    def __init__(self) -> None:
        self._done = trio.Event()
        self._error: Exception | None = None
        self._value: _Result = None

    def succeed(self, value: _Result) -> None:
        self._value = value
        self._done.set()

    def fail(self, error: Exception) -> None:
        self._error = error
        self._done.set()

    async def value(self) -> _Result:
        await self._done.wait()
        if self._error is not None:
            raise self._error
        return self._value


class CommandFailedError(Exception):
    """The data plane refused or failed a command; the message names the file or partition, and the cause."""


@final
class Plane:
    """An engine and the line to it. One Trio thread uses it; ``run`` must be running for anything to be answered."""

    def __init__(self, options: EngineOptions) -> None:
        """Locks the directory and starts the engine's threads. Blocks for some milliseconds. Raises ``OSError`` that
        names the directory, also when another broker holds it."""
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._tickets: dict[int, _Ticket] = {}
        self._next_ticket = 1
        self._closed = False
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
        self.log = PlaneLog(self)
        self.directory_id = ZERO_UUID
        """Of the directory, once its ``meta.properties`` was read."""

    # --- up ---------------------------------------------------------------------------------------------------------

    async def run(
        self,
        on_request: Callable[[Request], None],
        on_fact: Callable[[Fact], None],
        on_closed_connection: Callable[[str], None],
    ) -> None:
        """Drains the mailbox for ever. The callbacks must not block; a request is answered by ``reply`` at any time."""
        while True:
            await trio.lowlevel.wait_readable(self._reader)
            self._reader.recv(WAKES_MAX)
            done, facts, requests, closed = self._engine.drain(DRAIN_REQUESTS_MAX)
            for ticket, succeeded, value in done:
                waiting = self._tickets.pop(ticket)
                if succeeded:
                    waiting.succeed(value)
                else:
                    waiting.fail(CommandFailedError(value))
            for fact in facts:
                on_fact(Fact(*fact))
            for reason in closed:
                on_closed_connection(reason)
            for request in requests:
                on_request(Request(*request))

    # --- down -------------------------------------------------------------------------------------------------------

    def adopt(self, connection: socket.socket, listener: str) -> None:
        """Gives an accepted connection to a network thread for life; the socket object is empty afterwards."""
        peer, local = connection.getpeername(), connection.getsockname()
        self._engine.adopt(connection.detach(), listener, peer[0], local[0], local[1])

    def reply(self, request_id: int, body: bytes) -> None:
        """Answers a request with the body of its response. An answer to a connection that is gone is dropped."""
        self._engine.reply(request_id, body)

    def refuse(self, request_id: int, reason: str) -> None:
        """Closes the connection of a request that has no answer."""
        self._engine.refuse(request_id, reason)

    def install(self, cluster: _core.Cluster | None, delta: ViewDelta) -> None:
        """Changes the View that requests are routed and answered by; later replies do not overtake it."""
        topics = [
            (topic.topic_id, topic.name, topic.internal, topic.partition_count, list(topic.partitions))
            for topic in delta.topics
        ]
        self._engine.install(cluster, topics, list(delta.removed_topic_ids))

    def begin_lead(
        self, partitions: Sequence[LeadPartition], settings: Mapping[bytes, _core.TopicSettings]
    ) -> Callable[[], Awaitable[_Result]]:
        """Opens or creates the logs, recovers them, and takes writes. Waiting gives a row of ``Led`` for each."""
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

    def begin_stop(self, partitions: Sequence[StopPartition]) -> list[Callable[[], Awaitable[_Result]]]:
        """Gives the partitions up; those with ``delete`` lose their logs."""
        return [
            self.submit(lambda ticket, rows=rows, delete=delete: self._engine.stop_partitions(ticket, rows, delete))  # type: ignore[misc]
            for delete in (False, True)
            if (rows := [(stop.topic_id, stop.partition) for stop in partitions if stop.delete == delete])
        ]

    def begin_configure(self, topic_id: bytes, settings: _core.TopicSettings) -> Callable[[], Awaitable[_Result]]:
        """The settings of a topic changed."""
        return self.submit(lambda ticket: self._engine.configure(ticket, topic_id, settings))

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
        for waiting in self._tickets.values():
            waiting.fail(ClosedError("the data plane was closed"))
        self._tickets.clear()
        self._reader.close()
        self._writer.close()
        # The lock of the directory goes with it, now and not with the next collection of garbage.
        del self._engine

    # --- commands ---------------------------------------------------------------------------------------------------

    def submit(self, send: Callable[[int], None]) -> Callable[[], Awaitable[_Result]]:
        """Sends a command now, under a new ticket; what is returned waits for its end."""
        if self._closed:
            raise ClosedError("the data plane was closed")
        ticket, waiting = self._next_ticket, _Ticket()
        self._next_ticket += 1
        send(ticket)
        self._tickets[ticket] = waiting
        return waiting.value

    async def _command(self, send: Callable[[int], None]) -> _Result:
        return await self.submit(send)()

    @property
    def engine(self) -> _core.Engine:
        """For ``PlaneLog``."""
        return self._engine


def _api_row(api: Api) -> tuple[int, int, int, int, int, bool, int]:
    from ottla.api.table import Side

    shown = api.versions if api.advertised is None else api.advertised
    python = api.side is Side.PYTHON
    return (api.key, api.versions[0], api.versions[-1], shown[0], shown[-1], python, int(api.lane))


def engine_settings(settings: TopicSettings, producer_id_expiration_ms: int) -> _core.TopicSettings:
    """The settings of a topic in the form that logs share."""
    return _core.TopicSettings(
        max_message_bytes=settings.max_message_bytes,
        segment_bytes=settings.segment_bytes,
        segment_ms=settings.segment_ms,
        segment_jitter_ms=settings.segment_jitter_ms,
        index_bytes=settings.index_bytes,
        index_interval_bytes=settings.index_interval_bytes,
        compression_type=settings.compression_type,
        compression_level=settings.compression_level,
        log_append_time=settings.log_append_time,
        timestamp_before_max_ms=settings.timestamp_before_max_ms,
        timestamp_after_max_ms=settings.timestamp_after_max_ms,
        compacted=settings.cleanup_compact,
        delete_policy=settings.cleanup_delete,
        max_decompressed_message_bytes=settings.max_decompressed_message_bytes,
        min_insync_replicas=settings.min_insync_replicas,
        retention_ms=settings.retention_ms,
        retention_bytes=settings.retention_bytes,
        flush_messages=settings.flush_messages,
        flush_ms=settings.flush_ms,
        file_delete_delay_ms=settings.file_delete_delay_ms,
        producer_id_expiration_ms=producer_id_expiration_ms,
    )


@final
@dataclass(slots=True)
class _Append:
    """A batch under way to the metadata log."""

    wait_for: Callable[[], Awaitable[_Result]]
    log: PlaneLog

    async def wait(self) -> None:
        try:
            self.log.durable(await self.wait_for())
        except (CommandFailedError, ClosedError) as error:
            raise LogFailedError(str(error)) from error


@final
@dataclass(slots=True)
class PlaneLog:
    """The metadata log on the engine (``RaftLog`` of ``ottla.raft.log``). ``open`` comes first."""

    _plane: Plane
    _start_offset: int = field(default=0, init=False)
    _end_offset: int = field(default=0, init=False)
    _last_epoch: int = field(default=0, init=False)
    _size_bytes: int = field(default=0, init=False)
    _latest_snapshot: SnapshotId | None = field(default=None, init=False)

    async def open(self) -> None:
        """Opens and recovers the log. Raises ``CommandFailedError`` that names file and byte when it is damaged."""
        start, end, epoch, size, snapshots = await self._command(self._plane.engine.metadata_open)
        self._start_offset, self._end_offset, self._last_epoch, self._size_bytes = start, end, epoch, size
        if snapshots:
            self._latest_snapshot = SnapshotId(*snapshots[-1][:2])
            if end <= self._latest_snapshot.end_offset:
                self._last_epoch = max(epoch, self._latest_snapshot.epoch)

    @property
    def start_offset(self) -> int:
        return self._start_offset

    @property
    def end_offset(self) -> int:
        return self._end_offset

    @property
    def last_epoch(self) -> int:
        return self._last_epoch

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    @property
    def latest_snapshot(self) -> SnapshotId | None:
        return self._latest_snapshot

    def append(self, batch: Batch) -> _Append:
        assert batch.base_offset == self._end_offset, (
            f"append at {batch.base_offset}, the log ends at {self._end_offset}"
        )
        assert batch.epoch >= self._last_epoch
        assert batch.records
        records = list(batch.records)
        wait = self._plane.submit(
            lambda ticket: self._plane.engine.metadata_append(
                ticket, batch.base_offset, batch.epoch, batch.timestamp_ms, batch.control, records
            )
        )
        self._end_offset += len(records)
        self._last_epoch = batch.epoch
        return _Append(wait, self)

    def durable(self, size_bytes: int) -> None:
        """An append is durable; the segments have this size now."""
        self._size_bytes = size_bytes

    async def read(self, from_offset: int, bytes_max: int) -> Sequence[LogRecord]:
        if not self._start_offset <= from_offset <= self._end_offset:
            raise ValueError(f"offset {from_offset} is not in [{self._start_offset}, {self._end_offset}]")
        rows = await self._command(lambda ticket: self._plane.engine.metadata_read(ticket, from_offset, bytes_max))
        return [LogRecord(*row) for row in rows]

    async def truncate_prefix(self, new_start_offset: int) -> None:
        self._size_bytes = await self._command(
            lambda ticket: self._plane.engine.metadata_truncate_prefix(ticket, new_start_offset)
        )
        self._start_offset = max(self._start_offset, new_start_offset)
        self._end_offset = max(self._end_offset, new_start_offset)

    async def write_snapshot(self, snapshot_id: SnapshotId, batches: Iterable[Batch]) -> None:
        rows = [
            (batch.base_offset, batch.epoch, batch.timestamp_ms, batch.control, list(batch.records))
            for batch in batches
        ]
        await self._command(lambda ticket: self._plane.engine.snapshot_write(ticket, *snapshot_id, rows))
        if self._latest_snapshot is None or snapshot_id > self._latest_snapshot:
            self._latest_snapshot = snapshot_id

    async def read_snapshot(self, snapshot_id: SnapshotId, from_offset: int, bytes_max: int) -> Sequence[LogRecord]:
        if all(snapshot_id != known.id for known in await self.snapshots()):
            raise SnapshotNotFoundError(snapshot_id.file_name)
        rows = await self._command(
            lambda ticket: self._plane.engine.snapshot_read(ticket, *snapshot_id, from_offset, bytes_max)
        )
        return [LogRecord(*row) for row in rows]

    async def snapshots(self) -> Sequence[SnapshotFile]:
        rows = await self._command(self._plane.engine.snapshots)
        return [SnapshotFile(SnapshotId(offset, epoch), size) for offset, epoch, size in rows]

    async def delete_snapshots_before(self, snapshot_id: SnapshotId) -> None:
        await self._command(lambda ticket: self._plane.engine.snapshots_delete_before(ticket, *snapshot_id))

    async def read_quorum_state(self) -> bytes | None:
        content: bytes | None = await self._command(self._plane.engine.quorum_state_read)
        return content

    async def write_quorum_state(self, content: bytes) -> None:
        await self._command(lambda ticket: self._plane.engine.quorum_state_write(ticket, content))

    async def _command(self, send: Callable[[int], None]) -> _Result:
        try:
            return await self._plane.submit(send)()
        except ClosedError as error:
            raise LogFailedError(str(error)) from error


@final
class ViewPublisher:
    """Installs views and carries out their commands (``DataPlane`` of ``ottla.metadata.view``)."""

    def __init__(
        self,
        plane: Plane,
        cluster_id: str,
        node_id: int,
        features: Mapping[str, tuple[int, int]],
        auto_create_topics: bool,
        producer_id_expiration_ms: int,
    ) -> None:
        """``features``: what this release supports, name to smallest and largest level."""
        self._plane = plane
        self._cluster_id = cluster_id
        self._node_id = node_id
        self._supported = features
        self._auto_create_topics = auto_create_topics
        self._producer_id_expiration_ms = producer_id_expiration_ms
        self._finalized: Mapping[str, int] = {}
        self._brokers: dict[int, BrokerView] = {}
        self._settings: dict[bytes, _core.TopicSettings] = {}
        self.recovered_bytes = 0
        """Bytes that were read again at start, of all partitions."""
        self.led_partitions = 0
        """Partitions opened so far."""

    def publish(self, delta: ViewDelta) -> PendingView:
        """Sends the delta down, in order with everything else; returns at once."""
        for broker_id in delta.removed_broker_ids:
            self._brokers.pop(broker_id, None)
        self._brokers.update((broker.broker_id, broker) for broker in delta.brokers)
        if delta.features is not None:
            self._finalized = delta.features
        known = self._settings.keys() & {topic.topic_id for topic in delta.topics if topic.settings is not None}
        for topic in delta.topics:
            if topic.settings is not None:
                self._settings[topic.topic_id] = engine_settings(topic.settings, self._producer_id_expiration_ms)
        self._plane.install(self._cluster(delta.offset), delta)
        waits = [
            *self._plane.begin_stop(delta.stop),
            *(self._plane.begin_configure(topic_id, self._settings[topic_id]) for topic_id in known),
        ]
        lead = self._plane.begin_lead(delta.lead, self._settings) if delta.lead else None
        for topic_id in delta.removed_topic_ids:
            self._settings.pop(topic_id, None)
        return _PendingView(self, waits, lead, {row.topic_id: row.topic for row in delta.lead})

    def _cluster(self, offset: int) -> _core.Cluster:
        brokers = [
            (broker.broker_id, broker.rack, [(end.listener, end.host, end.port) for end in broker.endpoints])
            for broker in sorted(self._brokers.values(), key=lambda broker: broker.broker_id)
        ]
        features = [
            (name, low, high, self._finalized.get(name, 0)) for name, (low, high) in sorted(self._supported.items())
        ]
        # Kafka names any live broker as controller to clients; admin requests are forwarded from wherever they arrive.
        controller = self._node_id if self._node_id in self._brokers else min(self._brokers, default=-1)
        return _core.Cluster(
            cluster_id=self._cluster_id,
            controller_id=controller,
            brokers=brokers,
            features=features,
            metadata_offset=offset - 1,
            auto_create_topics=self._auto_create_topics,
        )


@final
@dataclass(slots=True)
class _PendingView:
    """The commands of one delta under way (``PendingView``)."""

    publisher: ViewPublisher
    waits: Sequence[Callable[[], Awaitable[_Result]]]
    lead: Callable[[], Awaitable[_Result]] | None
    names: Mapping[bytes, str]

    async def wait(self) -> Sequence[FailedCommand]:
        failed: list[FailedCommand] = []
        for wait in self.waits:
            try:
                await wait()
            except CommandFailedError as error:
                failed.append(FailedCommand("", -1, str(error)))
        if self.lead is not None:
            outcomes = [Led(*outcome) for outcome in await self.lead()]
            self.publisher.led_partitions += sum(led.error is None for led in outcomes)
            self.publisher.recovered_bytes += sum(led.recovered_bytes for led in outcomes)
            failed += [
                FailedCommand(self.names[led.topic_id], led.partition, led.error)
                for led in outcomes
                if led.error is not None
            ]
        return failed
