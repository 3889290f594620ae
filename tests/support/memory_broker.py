"""A broker made of parts in memory: metadata node, handlers, and a data plane that says yes. No sockets, no files."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Final

import trio

from ottla.api.broker import Broker, BrokerSettings, LogDirView
from ottla.api.configs import MetadataConfigs
from ottla.api.context import RequestContext
from ottla.api.pending import Pending
from ottla.api.table import TABLE
from ottla.clock import ManualClock
from ottla.config.values import BrokerConfig
from ottla.controller.client import LocalController
from ottla.controller.cluster import ControllerRegistration, Registration
from ottla.controller.configs import BrokerTopicConfigs
from ottla.controller.format import bootstrap_batches
from ottla.controller.node import MetadataNode, MetadataSettings
from ottla.controller.topics import TopicDefaults, TopicTools
from ottla.ids import DirectoryId, Uuid, random_uuid
from ottla.metadata.publishers import DataPlanePublisher, LocalBroker
from ottla.metadata.records import MetadataCodec
from ottla.metadata.view import FailedCommand, ViewDelta
from ottla.raft.snapshot import BOOTSTRAP_SNAPSHOT
from ottla.raft.voters import ReplicaKey, Voter, VoterEndpoint
from ottla.security.authorizer import ANONYMOUS, AllowAll, Authorizer
from ottla.server.coordinators import Coordinators
from ottla.wire.codec import decode_request, decode_response, encode_request, encode_response
from tests.support.coordinator_log import MemoryLogs, TrioClock
from tests.support.memory_log import MemoryLog

NODE_ID: Final = 1
CLUSTER_ID: Final = "AAAAAAAAAAAAAAAAAAAAAQ"
DIRECTORY: Final = DirectoryId(bytes(range(100, 116)))
CODEC: Final = MetadataCodec()


class DataPlaneStandIn:
    """Takes every delta, and does it at once or when told to."""

    def __init__(self) -> None:
        self.deltas: list[ViewDelta] = []
        self.open = trio.Event()
        self.open.set()

    def publish(self, delta: ViewDelta) -> DataPlaneStandIn:
        self.deltas.append(delta)
        return self

    async def wait(self) -> Sequence[FailedCommand]:
        await self.open.wait()
        return ()


class LogDirsStandIn:
    """Log directories that a test fills."""

    def __init__(self) -> None:
        self.directories: list[LogDirView] = []

    async def describe(self) -> Sequence[LogDirView]:
        await trio.lowlevel.checkpoint()
        return self.directories


class PartitionsStandIn:
    """Partitions that take every marker, unless a test says otherwise, and know of no producers but those it names."""

    def __init__(self) -> None:
        self.markers: list[tuple[bytes, int, int, int, int, bool, int]] = []
        self.codes: dict[int, list[int]] = {}
        """By partition, what becomes of the next markers."""
        self.producers: dict[int, list[tuple[int, int, int, int, int, int]]] = {}
        """By partition."""

    def begin_append_markers(
        self,
        rows: Sequence[tuple[bytes, int, int, int, int, bool, int]],
        _timeout_ms: int,
        ended: Callable[[Sequence[int], Exception | None], None],
    ) -> None:
        self.markers += rows
        ended([self.codes[row[1]].pop(0) if self.codes.get(row[1]) else 0 for row in rows], None)

    async def describe_producers(
        self, partitions: Sequence[tuple[bytes, int]]
    ) -> Sequence[int | list[tuple[int, int, int, int, int, int]]]:
        await trio.lowlevel.checkpoint()
        return [self.producers.get(index, []) for _, index in partitions]


@dataclass
class MemoryBroker:
    """One broker and what a test wants of it."""

    node: MetadataNode
    broker: Broker
    plane: DataPlaneStandIn
    log_dirs: LogDirsStandIn
    clock: ManualClock
    log: MemoryLog
    coordinators: Coordinators
    group_logs: MemoryLogs
    partitions: PartitionsStandIn
    authorizer: Authorizer = field(default_factory=AllowAll)
    client_id: str = "test"

    @property
    def controller(self) -> LocalController:
        return self.node.controller

    def context(self, key: int, version: int) -> RequestContext:
        return RequestContext(
            api_key=key,
            api_version=version,
            client_id=self.client_id,
            listener="PLAINTEXT",
            principal=ANONYMOUS,
            host="127.0.0.1",
            connection_id=1,
            local_host="broker.test",
            local_port=9092,
            arrived_ms=0,
            authorizer=self.authorizer,
        )

    async def ask(self, request: Any, version: int) -> Any:
        """Through the codec to the handler of the table and back, as a client would."""
        key = type(request).__schema__.api_key
        api = next(api for api in TABLE if api.key == key)
        assert api.handler is not None
        parsed = decode_request(key, version, encode_request(request, version))
        answer = await _responded(api.handler(parsed, self.context(key, version), self.broker))
        return decode_response(key, version, encode_response(answer, version).body)

    def metadata_records(self) -> list[object]:
        """Every data record of the metadata log."""
        return [
            CODEC.decode(value)
            for batch in self.log.batches
            if not batch.control
            for _, value in batch.records
            if value is not None
        ]


async def _responded(answer: Any) -> Any:
    """The response, whichever way a handler gives it: at once, awaited, or pending."""
    if isinstance(answer, Pending):
        ready = trio.Event()
        answer.when_ready(ready.set)
        await ready.wait()
        return answer.response()
    return await answer if isawaitable(answer) else answer


def local_voter() -> Voter:
    return Voter(ReplicaKey(NODE_ID, Uuid(DIRECTORY)), (VoterEndpoint("CONTROLLER", "127.0.0.1", 9093),))


async def formatted_log(*, hold: bool = False) -> MemoryLog:
    """The metadata log of a directory that was formatted and never used."""
    log = MemoryLog()
    await log.write_snapshot(BOOTSTRAP_SNAPSHOT, bootstrap_batches(local_voter(), CODEC, 1_000))
    log.hold = hold
    return log


def config(settings: Mapping[str, str]) -> BrokerConfig:
    base = {
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.listener.names": "CONTROLLER",
    }
    return BrokerConfig({**base, **settings})


@asynccontextmanager
async def memory_broker(
    log: MemoryLog | None = None,
    settings: Mapping[str, str] | None = None,
    previous_epoch: int = -1,
    seed: int = 1,
    metadata: MetadataSettings | None = None,
) -> AsyncIterator[MemoryBroker]:
    """A running broker, unfenced and served; cancelled at the end, as if it were killed."""
    log = await formatted_log() if log is None else log
    broker_config = config(settings or {})
    brokers = BrokerSettings.of(broker_config)
    configs = BrokerTopicConfigs(broker_config)
    chance = random.Random(seed)
    tools = TopicTools(
        TopicDefaults(brokers.num_partitions, brokers.default_replication_factor),
        configs,
        lambda: random_uuid(chance.randbytes),
        chance.randrange,
    )
    plane, log_dirs, clock = DataPlaneStandIn(), LogDirsStandIn(), ManualClock()
    publisher = DataPlanePublisher(plane, lambda: LocalBroker(NODE_ID, frozenset(), 1), configs.settings)
    group_logs, partitions = MemoryLogs(), PartitionsStandIn()
    coordinators = Coordinators(
        broker_config,
        group_logs,
        TrioClock(),
        chance.randbytes,
        lambda: False,
        trio.lowlevel.checkpoint,
        lambda _event, _partition, _detail: None,
        lambda _partition, _records, _took_ms: None,
        partitions.begin_append_markers,
        lambda: node.producer_ids,
        lambda _event, _transactional_id, _detail: None,
    )
    metadata = metadata or MetadataSettings(idle_interval_ms=0)
    node = MetadataNode(log, local_voter(), CODEC, clock, metadata, tools, [publisher, coordinators])
    coordinators.follow(node.loader)
    await node.start(
        Registration(
            NODE_ID,
            random_uuid(chance.randbytes),
            (("PLAINTEXT", "127.0.0.1", 9092, 0),),
            (DIRECTORY,),
            None,
            previous_epoch,
        ),
        ControllerRegistration(NODE_ID, random_uuid(chance.randbytes), (("CONTROLLER", "127.0.0.1", 9093, 0),)),
    )
    broker = Broker(
        node_id=NODE_ID,
        cluster_id=CLUSTER_ID,
        settings=brokers,
        advertised_listeners=frozenset(),
        metadata=node.loader,
        controller=node.controller,
        producer_ids=node.producer_ids,
        log_dirs=log_dirs,
        configs=MetadataConfigs(broker_config, node.loader),
        groups=coordinators.groups,
        transactions=coordinators.transactions,
        markers=coordinators.markers,
        producers=partitions,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(coordinators.run)
        nursery.start_soon(node.run)
        with trio.fail_after(60):
            if not log.hold:
                await node.wait_ready()
        yield MemoryBroker(node, broker, plane, log_dirs, clock, log, coordinators, group_logs, partitions)
        nursery.cancel_scope.cancel()
