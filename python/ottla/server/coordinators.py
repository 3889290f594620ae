"""The coordinators of one broker, of groups and of transactions: which of their partitions it leads, from the metadata;
and the tasks that run them.

Prior art: Kafka's ``BrokerMetadataPublisher``, which elects and resigns coordinators as topics change hands. Ours is a
publisher beside that of the data plane, and begins to load when the data plane has done what the same metadata asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

import trio

from ottla.controller.configs import BrokerTopicConfigs, DynamicLayers
from ottla.coordinator.runtime import CoordinatorRuntime
from ottla.coordinator.slices import LoopLag
from ottla.groups.config import GroupsConfig
from ottla.groups.coordinator import GROUP_TOPIC, GroupCoordinator
from ottla.groups.metadata import GroupMetadata, TopicsChanged
from ottla.groups.records import GroupRecords
from ottla.metadata.image import LEADER, LEADER_EPOCH, RESOURCE_BROKER, RESOURCE_TOPIC, Image
from ottla.server.markers import MarkerWriter
from ottla.transactions.config import TransactionsConfig
from ottla.transactions.coordinator import TRANSACTION_TOPIC, TransactionCoordinator
from ottla.transactions.delivery import MarkerDelivery
from ottla.transactions.records import TransactionRecords

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ottla.api.broker import MetadataCache
    from ottla.clock import Clock
    from ottla.config.values import BrokerConfig
    from ottla.controller.producer_ids import ProducerIdSource
    from ottla.coordinator.log import CoordinatorLogs
    from ottla.coordinator.machine import Outbox
    from ottla.groups.shard import GroupShard
    from ottla.metadata.delta import Delta, TopicDelta
    from ottla.server.markers import AppendMarkers
    from ottla.transactions.shard import TransactionShard

__all__ = ["Coordinators"]

IMPORT_AGAIN_S: Final = 0.1
"""After there were no descriptors left to read a module with."""


@final
class _Led:
    """The partitions of a coordinator's topic, as they come and go."""

    def __init__(self, topic: str, runtime: CoordinatorRuntime[Any], partition_count: int) -> None:
        """``partition_count``: what the topic will have, when it is made."""
        self.topic: Final = topic
        self.runtime: Final = runtime
        self._partition_count: Final = partition_count
        self._counted = 0
        self._counted_in: Image | None = None

    def count(self, image: Image) -> int:
        """How many partitions it has, or will have."""
        if image is not self._counted_in:
            topic = image.topics.named(self.topic)
            self._counted = self._partition_count if topic is None else len(topic.partitions)
            self._counted_in = image
        return self._counted


@final
class Coordinators:
    """Both coordinators, and who follows the metadata for them (``Publisher``). ``follow`` comes before the first
    publication; ``run`` must be running for anything but refusals."""

    def __init__(
        self,
        config: BrokerConfig,
        logs: CoordinatorLogs,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        writes_out_soon: Callable[[], bool],
        caught_up: Callable[[], Awaitable[None]],
        report: Callable[[str, int, str], None],
        loaded: Callable[[int, int, int], None],
        append_markers: AppendMarkers,
        producer_ids: Callable[[], ProducerIdSource],
        report_transaction: Callable[[str, str, str], None],
    ) -> None:
        """``writes_out_soon``, ``caught_up``, ``report``, ``loaded``: see ``CoordinatorRuntime``. ``producer_ids``:
        once the node has started. ``report_transaction``: see ``TransactionShard``."""
        self._node_id = config.node_id
        self._settings_of = BrokerTopicConfigs(config).settings
        self._batch_bytes_max: dict[str, int] = {}
        self._metadata: MetadataCache | None = None
        self._gone: deque[tuple[str, bytes]] = deque()
        self._changed: deque[TopicsChanged] = deque()
        self._news = trio.Event()
        self._config_of = DynamicLayers(config)
        self._topics = GroupMetadata(config)
        self._producer_ids = producer_ids
        self._report_transaction = report_transaction
        groups = GroupsConfig.of(config, self._topics.settings)
        self._groups: CoordinatorRuntime[GroupShard] = CoordinatorRuntime(
            logs,
            GroupRecords(),
            lambda _partition, epoch: _group_shard()(groups, lambda: uuid_of(random_bytes), self._topics.hashes, epoch),
            clock,
            append_timeout_ms=groups.offsets.commit_timeout_ms,
            batch_bytes_max=lambda: self._batch_bytes_max[GROUP_TOPIC],
            writes_out_soon=writes_out_soon,
            caught_up=caught_up,
            report=report,
            loaded=loaded,
        )
        transactions = TransactionsConfig.of(config)
        self._transactions: CoordinatorRuntime[TransactionShard] = CoordinatorRuntime(
            logs,
            TransactionRecords(self._transaction_version),
            lambda partition, epoch: self._new_transaction_shard(transactions, partition, epoch),
            clock,
            append_timeout_ms=transactions.append_timeout_ms,
            batch_bytes_max=lambda: self._batch_bytes_max[TRANSACTION_TOPIC],
            writes_out_soon=writes_out_soon,
            caught_up=caught_up,
            report=report,
            loaded=loaded,
        )
        self._led: Final = (
            _Led(GROUP_TOPIC, self._groups, config.integer("offsets.topic.num.partitions")),
            _Led(TRANSACTION_TOPIC, self._transactions, config.integer("transaction.state.log.num.partitions")),
        )
        self.groups: Final = GroupCoordinator(self._groups, partial(self._partitions, self._led[0]))
        self.transactions: Final = TransactionCoordinator(
            self._transactions, partial(self._partitions, self._led[1]), transactions
        )
        self.markers: Final = MarkerWriter(
            self._followed, self.groups, append_markers, config.integer("request.timeout.ms")
        )
        self._delivery = MarkerDelivery(self._transactions, self.markers.begin, writes_out_soon)
        self.loop_lag: Final = LoopLag()
        """How long requests wait for this thread."""

    def follow(self, metadata: MetadataCache) -> None:
        """Whose publications these are."""
        self._metadata = metadata

    def _followed(self) -> MetadataCache:
        assert self._metadata is not None
        return self._metadata

    async def run(self) -> None:
        """Until cancelled."""
        trio.lowlevel.add_instrument(self.loop_lag)
        try:
            async with trio.open_nursery() as nursery:
                for led in self._led:
                    nursery.start_soon(led.runtime.run)
                nursery.start_soon(self._delivery.run)
                await self._tell()
        finally:
            trio.lowlevel.remove_instrument(self.loop_lag)

    def write_out(self) -> None:
        """Begins to write what has been decided: the last thing in every drain of the data plane."""
        self._delivery.send_out()
        for led in self._led:
            led.runtime.write_out()

    def flush(self) -> None:
        """Begins to write what nobody waits for: this broker is about to stop."""
        for led in self._led:
            led.runtime.flush()

    async def prepare(self) -> None:
        """Imports the machines, on a thread. They take a fifth of all imports: for that no client should wait that only
        wants its first answer, and none that joins the first group either. A lack of descriptors is waited out."""
        while True:
            try:
                await trio.to_thread.run_sync(_machine_classes, abandon_on_cancel=True)
                return
            except OSError:
                await trio.sleep(IMPORT_AGAIN_S)

    def _partitions(self, led: _Led) -> int:
        return led.count(self._followed().image)

    def _transaction_version(self) -> int:
        return self._followed().image.features.get("transaction.version", 0)

    def _new_transaction_shard(self, config: TransactionsConfig, partition: int, leader_epoch: int) -> TransactionShard:
        return _transaction_shard()(
            config,
            leader_epoch,
            transaction_version=self._transaction_version,
            take_producer_id=self._producer_ids().take,
            wake=lambda: self._delivery.wake(partition),
            report=self._report_transaction,
        )

    # --- the metadata -----------------------------------------------------------------------------------------------

    def publish(self, delta: Delta, image: Image) -> None:
        """See ``Publisher``."""
        for topic_id, topic in delta.removed_topics.items():
            own = [led for led in self._led if led.topic == topic.name]
            for led in own:
                led.runtime.resign_all()
            if not own:
                self._gone.append((topic.name, topic_id))
                self._news.set()
        changed = self._topics.publish(delta, image, self._config_of(image))
        if delta.configs or delta.features_changed:
            for _, machine in self._groups.machines():
                machine.settings_changed()
        if changed.names:
            self._changed.append(changed)
            self._news.set()
        for led in self._led:
            self._configure(led.topic, delta, image)
            for topic_id, change in delta.topics.items():
                if change.name == led.topic:
                    self._elect(led.runtime, topic_id, change, image)

    def _elect(self, runtime: CoordinatorRuntime[Any], topic_id: bytes, change: TopicDelta, image: Image) -> None:
        for index in change.changed:
            partition = change.get(index)
            if partition[LEADER] == self._node_id:
                ready = partial(self._served, range(image.provenance.offset, image.provenance.offset + 1))
                runtime.elect(topic_id, index, partition[LEADER_EPOCH], ready)
            else:
                runtime.resign(index)

    def _configure(self, topic: str, delta: Delta, image: Image) -> None:
        resources = ((RESOURCE_TOPIC, topic), (RESOURCE_BROKER, ""), (RESOURCE_BROKER, str(self._node_id)))
        if topic not in self._batch_bytes_max or any(resource in delta.configs for resource in resources):
            settings = self._settings_of(image, image.config(RESOURCE_TOPIC, topic))
            self._batch_bytes_max[topic] = settings.max_message_bytes

    async def _served(self, offsets: range) -> None:
        await self._followed().wait_served(offsets)
        while True:
            try:
                # Long done by ``prepare``, but for those who are elected at once.
                _machine_classes()
                return
            except OSError:
                await trio.sleep(IMPORT_AGAIN_S)

    async def _tell(self) -> None:
        """Tells groups of what has happened to topics."""
        while True:
            while self._gone:
                name, topic_id = self._gone.popleft()
                await self._groups.tell_all(partial(_topic_deleted, name, topic_id))
            while self._changed:
                await self._groups.tell_all(partial(_topics_changed, self._changed.popleft()))
            self._news = trio.Event()
            await self._news.wait()


def _topic_deleted(name: str, topic_id: bytes, shard: GroupShard, _outbox: Outbox) -> None:
    shard.topic_deleted(name, topic_id)


def _topics_changed(changed: TopicsChanged, shard: GroupShard, _outbox: Outbox) -> None:
    shard.topics_changed(changed.names, created=changed.created)


def _machine_classes() -> None:
    _group_shard()
    _transaction_shard()


def _group_shard() -> type[GroupShard]:
    from ottla.groups.shard import GroupShard

    return GroupShard


def _transaction_shard() -> type[TransactionShard]:
    from ottla.transactions.shard import TransactionShard

    return TransactionShard


def uuid_of(random_bytes: Callable[[int], bytes]) -> str:
    """``UUID.randomUUID().toString()``: version 4, in hexadecimal with dashes."""
    raw = bytearray(random_bytes(16))
    raw[6] = (raw[6] & 0x0F) | 0x40
    raw[8] = (raw[8] & 0x3F) | 0x80
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
