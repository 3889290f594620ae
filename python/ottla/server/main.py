"""The composition root: a broker out of a configuration, from an empty directory or an old one.

Order of a start: lock the directory, format it if it is new, bind the listeners (so that chosen ports are known), load
the metadata, register and unfence, recover the logs, then accept. Of a stop: no new connections, lead nothing, flush
and mark clean.

Prior art: Kafka's ``KafkaRaftServer`` and ``BrokerServer``. Ours is one object per broker; nothing is global, so
several run in one process. Logging is bound per broker and handed in.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import trio

from ottla.api.broker import Broker, BrokerSettings
from ottla.api.configs import MetadataConfigs
from ottla.api.table import TABLE
from ottla.clock import Clock, SystemClock
from ottla.config.acted_on import FOLLOWED
from ottla.config.registry import bare_name
from ottla.controller.configs import BrokerTopicConfigs, DynamicLayers
from ottla.controller.format import MetaProperties, bootstrap_batches
from ottla.controller.node import MetadataNode, MetadataSettings
from ottla.controller.topics import TopicDefaults, TopicTools
from ottla.dataplane.coordinator_log import PlaneCoordinatorLogs
from ottla.dataplane.log import PlaneLog
from ottla.dataplane.plane import CONNECTION_GONE, Callbacks, EngineOptions, Fact, Periods, Plane, Request
from ottla.dataplane.views import ViewPublisher
from ottla.ids import random_uuid, uuid_from_text, uuid_text
from ottla.metadata.features import SUPPORTED
from ottla.metadata.publishers import BrokerConfigPublisher, DataPlanePublisher, LocalBroker
from ottla.metadata.records import MetadataCodec
from ottla.metadata.view import FailedCommand
from ottla.raft.client import Retention
from ottla.raft.snapshot import BOOTSTRAP_SNAPSHOT
from ottla.security.authorizer import ANONYMOUS, AllowAll
from ottla.server.admission import Admission, ConnectionLimits
from ottla.server.coordinators import Coordinators
from ottla.server.identity import KRAFT_VERSION, identify, reachable, registrations, voter_of
from ottla.server.lag import watch
from ottla.server.listener import BoundListener, Buffers, bind
from ottla.server.release import check_served
from ottla.server.switchboard import Switchboard
from ottla.transactions.coordinator import codes_of

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from ottla.config.load import Loaded
    from ottla.config.values import BrokerConfig
    from ottla.coordinator.log import CoordinatorLogs
    from ottla.coordinator.slices import LoopLag
    from ottla.dataplane.transactions import Question
    from ottla.transactions.coordinator import TransactionCoordinator

__all__ = ["Server", "Started", "in_words"]

LOADED_RECORDS_MIN: Final = 10_000
"""From here on an operator is told how long a coordinator's partition took to load: some 50 ms."""


@final
@dataclass(slots=True, frozen=True)
class Started:
    """What is said once when a broker serves."""

    listeners: Sequence[tuple[str, str, int]]
    """(listener, host, port): where clients connect."""
    cluster_id: str
    node_id: int
    data_dir: Path
    formatted: bool
    """Whether the directory was new."""
    partitions: int
    recovered_bytes: int
    duration_ms: int

    @property
    def bootstrap_servers(self) -> str:
        """What a client on this machine is given."""
        return ",".join(f"{_bracketed(host)}:{port}" for _, host, port in self.listeners)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def in_words(error: BaseException) -> str:
    """What went wrong, for people: without the nesting of nurseries."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(in_words(inner) for inner in error.exceptions)
    return str(error) or type(error).__name__


@final
class Server:
    """One broker. ``serve`` runs it from start to clean stop."""

    def __init__(
        self,
        loaded: Loaded,
        log: FilteringBoundLogger,
        clock: Clock | None = None,
        coordinator_logs: Callable[[Plane, int], CoordinatorLogs] = PlaneCoordinatorLogs,
    ) -> None:
        """``coordinator_logs``: where coordinators keep what they decide, compressed by the codec of that number."""
        self._loaded = loaded
        self._config = loaded.config
        self._node = loaded.node
        self._log = log
        self._clock = SystemClock() if clock is None else clock
        self._coordinator_logs = coordinator_logs
        self._stop = trio.Event()
        self._killed = False
        self._life = trio.CancelScope()
        self._switchboard: Switchboard | None = None
        self._services: Broker | None = None
        self._lag: LoopLag | None = None
        self._admission: Admission | None = None
        self._dynamic_settings: set[str] = set()

    def stop(self) -> None:
        """Begin the clean stop; from the broker's own thread. ``serve`` returns when it is done."""
        self._stop.set()

    def kill(self) -> None:
        """End at once and leave the directory as a crash would; from the broker's own thread. ``serve`` returns when it
        is done, whatever it was at."""
        self._killed = True
        self._life.cancel()

    @property
    def services(self) -> Broker:
        """What handlers work with; once ``started`` was called, until ``serve`` returns."""
        assert self._services is not None, "the broker has not started"
        return self._services

    @property
    def loop_lag(self) -> LoopLag:
        """How long requests wait for this thread; once ``started`` was called, and inside of the Trio run."""
        assert self._lag is not None, "the broker has not started"
        return self._lag

    async def serve(self, started: Callable[[Started], None]) -> None:
        """Start, call ``started`` once clients may connect, serve until ``stop``, stop cleanly.

        Raises ``DataDirectoryError``, ``ListenError``, ``ConfigError``, ``OSError``, all worded for people, when it
        cannot start; ``LogFailedError`` when the metadata log fails.
        """
        with self._life:
            await self._serve(started)

    async def _serve(self, started: Callable[[Started], None]) -> None:
        begun_ms = self._clock.monotonic_ms()
        check_served(self._config, self._node)
        data_dir = self._data_dir()
        limits = ConnectionLimits.of(self._config, self._node.listeners)
        plane = Plane(self._engine_options(data_dir), self._clock)
        admission = self._admission = Admission(limits, plane)
        broker_epoch = -1
        try:
            meta, formatted = identify(plane, data_dir, self._config.node_id, self._clock.wall_ms())
            plane.directory_id = uuid_from_text(uuid_text(meta.directory_id))
            buffers = Buffers.of(self._config)
            backlog = self._config.integer("socket.listen.backlog.size")
            listeners = [
                bind(end.listener, end.host, end.port, buffers, backlog) for end in self._node.listeners.broker
            ]
            try:
                log = PlaneLog(plane)
                coordinators = self._coordinators(plane)
                metadata, publisher = self._metadata(plane, log, meta, coordinators)
                coordinators.follow(metadata.loader)
                self._lag = coordinators.loop_lag
                async with trio.open_nursery() as nursery:
                    plane.set_transaction_rules(
                        coordinators.transactions.config.verify, coordinators.transactions.config.append_timeout_ms
                    )
                    plane.on_question(partial(self._answer, plane, coordinators.transactions))
                    callbacks = Callbacks(
                        self._on_request, self._on_fact, self._on_closed_connection, coordinators.write_out
                    )
                    nursery.start_soon(plane.run, callbacks)
                    nursery.start_soon(watch, coordinators.loop_lag, self._log)
                    await log.open()
                    if formatted:
                        voter = voter_of(meta, self._node.listeners)
                        batches = bootstrap_batches(voter, MetadataCodec(), self._clock.wall_ms())
                        await log.write_snapshot(BOOTSTRAP_SNAPSHOT, batches)
                    await metadata.start(*registrations(meta, self._node, listeners, plane.clean_broker_epoch()))
                    broker_epoch = metadata.broker_epoch
                    self._services = self._broker(plane, metadata, meta, coordinators)
                    self._switchboard = Switchboard(plane, self._services, AllowAll(), ANONYMOUS, self._log, nursery)
                    nursery.start_soon(coordinators.run)
                    nursery.start_soon(metadata.run)
                    await metadata.wait_ready()
                    await self._set_strays_aside(plane, metadata)
                    started(
                        Started(
                            listeners=[(bound.name, reachable(bound.host), bound.port) for bound in listeners],
                            cluster_id=meta.cluster_id,
                            node_id=meta.node_id,
                            data_dir=data_dir,
                            formatted=formatted,
                            partitions=publisher.led_partitions,
                            recovered_bytes=publisher.recovered_bytes,
                            duration_ms=self._clock.monotonic_ms() - begun_ms,
                        )
                    )
                    accepting = trio.CancelScope()
                    nursery.start_soon(self._accept, listeners, plane, admission, accepting)
                    nursery.start_soon(coordinators.prepare)
                    await self._stop.wait()
                    accepting.cancel()
                    coordinators.flush()
                    await metadata.shut_down()
                    nursery.cancel_scope.cancel()
            finally:
                for bound in listeners:
                    bound.close()
        finally:
            if self._killed:
                plane.abandon()
            for problem in plane.close(broker_epoch):
                self._log.error("not closed well", problem=problem)

    # --- parts ------------------------------------------------------------------------------------------------------

    def _data_dir(self) -> Path:
        return Path(self._config.log_dirs[0]).absolute()

    def _engine_options(self, data_dir: Path) -> EngineOptions:
        config = self._config
        cores = len(os.sched_getaffinity(0))
        return EngineOptions(
            data_dir=data_dir,
            node_id=config.node_id,
            apis=TABLE,
            # Kafka's three leave another to the network when a disk stalls one; above the cores they only take turns.
            network_threads=max(config.integer("num.network.threads"), cores),
            frame_bytes_max=config.integer("socket.request.max.bytes"),
            idle_ms_max=config.integer("connections.max.idle.ms"),
            fetch_bytes_max=config.integer("fetch.max.bytes"),
            fetch_sessions_max=config.integer("max.incremental.fetch.session.cache.slots"),
            periods=Periods(
                high_watermarks_ms=config.integer("replica.high.watermark.checkpoint.interval.ms"),
                recovery_points_ms=config.integer("log.flush.offset.checkpoint.interval.ms"),
                log_starts_ms=config.integer("log.flush.start.offset.checkpoint.interval.ms"),
                retention_ms=config.integer("log.retention.check.interval.ms"),
                delete_delay_ms=config.integer("log.segment.delete.delay.ms"),
            ),
        )

    def _coordinators(self, plane: Plane) -> Coordinators:
        return Coordinators(
            self._config,
            self._coordinator_logs(plane, self._config.integer("offsets.topic.compression.codec")),
            self._clock,
            os.urandom,
            lambda: plane.is_draining,
            plane.caught_up,
            lambda event, partition, detail: self._log.warning(event, partition=partition, detail=detail),
            self._on_loaded,
            plane.begin_append_markers,
            lambda: self.services.producer_ids,
            lambda event, transactional_id, detail: self._log.warning(
                event, transactional_id=transactional_id, detail=detail
            ),
        )

    def _metadata(
        self, plane: Plane, log: PlaneLog, meta: MetaProperties, coordinators: Coordinators
    ) -> tuple[MetadataNode, ViewPublisher]:
        config = self._config
        configs = BrokerTopicConfigs(config)
        publisher = ViewPublisher(
            plane,
            meta.cluster_id,
            meta.node_id,
            SUPPORTED,
            config.boolean("auto.create.topics.enable"),
            config.integer("producer.id.expiration.ms"),
        )
        local = LocalBroker(meta.node_id, frozenset(self._node.listeners.advertised), KRAFT_VERSION)
        tools = TopicTools(
            TopicDefaults(config.integer("num.partitions"), config.integer("default.replication.factor")),
            configs,
            lambda: random_uuid(os.urandom),
            random.SystemRandom().randrange,
        )
        settings = MetadataSettings(
            snapshot_bytes=config.integer("metadata.log.max.record.bytes.between.snapshots"),
            snapshot_interval_ms=config.integer("metadata.log.max.snapshot.interval.ms"),
            idle_interval_ms=config.integer("metadata.max.idle.interval.ms"),
            retention=Retention(
                config.integer("metadata.max.retention.bytes"), config.integer("metadata.max.retention.ms")
            ),
        )
        node = MetadataNode(
            log,
            voter_of(meta, self._node.listeners),
            MetadataCodec(),
            self._clock,
            settings,
            tools,
            [
                DataPlanePublisher(publisher, lambda: local, configs.settings),
                BrokerConfigPublisher(DynamicLayers(config), self._on_dynamic_settings, meta.node_id),
                coordinators,
            ],
            str(config.integer("min.insync.replicas")),
            report=self._on_failed_command,
        )
        return node, publisher

    def _on_dynamic_settings(self, config: BrokerConfig) -> None:
        """Nobody shall think that a setting holds which nobody reads again."""
        written = {*config.cluster_dynamic, *config.broker_dynamic}
        for name in sorted(written - self._dynamic_settings):
            if bare_name(name) not in FOLLOWED:
                self._log.warning("a dynamic setting has no effect in this version", key=name)
        self._dynamic_settings = written

    def _broker(self, plane: Plane, metadata: MetadataNode, meta: MetaProperties, coordinators: Coordinators) -> Broker:
        return Broker(
            node_id=meta.node_id,
            cluster_id=meta.cluster_id,
            settings=BrokerSettings.of(self._config),
            advertised_listeners=frozenset(self._node.listeners.advertised),
            metadata=metadata.loader,
            controller=metadata.controller,
            producer_ids=metadata.producer_ids,
            log_dirs=plane,
            configs=MetadataConfigs(self._config, metadata.loader),
            groups=coordinators.groups,
            transactions=coordinators.transactions,
            markers=coordinators.markers,
            producers=plane,
        )

    async def _set_strays_aside(self, plane: Plane, metadata: MetadataNode) -> None:
        topics = metadata.loader.image.topics.by_id
        keep = [(topic_id, index) for topic_id, topic in topics.items() for index in range(len(topic.partitions))]
        for name in await plane.set_strays_aside(keep):
            self._log.warning("log set aside: no topic of the cluster has it", directory=name)

    async def _accept(
        self, listeners: Sequence[BoundListener], plane: Plane, admission: Admission, scope: trio.CancelScope
    ) -> None:
        with scope:
            async with trio.open_nursery() as nursery:
                for bound in listeners:
                    nursery.start_soon(bound.accept, admission, plane.adopt, self._on_refused_connection)
        for bound in listeners:
            bound.close()

    def _on_request(self, request: Request) -> None:
        assert self._switchboard is not None, "a request before connections were accepted"
        self._switchboard.route(request)

    @staticmethod
    def _answer(plane: Plane, transactions: TransactionCoordinator, question: Question) -> None:
        """What a partition led here asks before the first record of a transaction."""
        reply = transactions.begin_add(
            question.transactional_id,
            question.producer_id,
            question.producer_epoch,
            question.partitions,
            verify_only=not question.add,
            transaction_version=2 if question.add else 0,
        )
        reply.when_settled(lambda: plane.answer(question.question_id, codes_of(reply, question.partitions)))

    def _on_failed_command(self, failed: FailedCommand) -> None:
        self._log.error("partition not served", topic=failed.topic, partition=failed.partition, reason=failed.message)

    def _on_loaded(self, partition: int, records: int, took_ms: int) -> None:
        if records >= LOADED_RECORDS_MIN:
            self._log.info("coordinator's partition loaded", partition=partition, records=records, took_ms=took_ms)

    def _on_refused_connection(self, reason: str) -> None:
        self._log.warning("connection not accepted", reason=reason)

    def _on_closed_connection(self, reason: str) -> None:
        self._log.info("connection closed", reason=reason)

    def _on_fact(self, fact: Fact) -> None:
        if fact.subject == CONNECTION_GONE:
            assert self._admission is not None, "a connection before they were accepted"
            self._admission.changed()
            return
        self._log.error(fact.subject, detail=fact.text)
