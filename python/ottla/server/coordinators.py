"""The coordinators of one broker: which of their partitions it leads, from the metadata; and the tasks that run them.

Prior art: Kafka's ``BrokerMetadataPublisher``, which elects and resigns coordinators as topics change hands. Ours is a
publisher beside that of the data plane, and begins to load when the data plane has done what the same metadata asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, final

import trio

from ottla.controller.configs import BrokerTopicConfigs, DynamicLayers
from ottla.coordinator.runtime import CoordinatorRuntime
from ottla.coordinator.slices import LoopLag
from ottla.groups.config import GroupsConfig
from ottla.groups.coordinator import GROUP_TOPIC, GroupCoordinator
from ottla.groups.metadata import GroupMetadata, TopicsChanged
from ottla.groups.records import GroupRecords
from ottla.metadata.image import LEADER, LEADER_EPOCH, RESOURCE_BROKER, RESOURCE_TOPIC, Image

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ottla.api.broker import MetadataCache
    from ottla.clock import Clock
    from ottla.config.values import BrokerConfig
    from ottla.coordinator.log import CoordinatorLogs
    from ottla.coordinator.machine import Outbox
    from ottla.groups.shard import GroupShard
    from ottla.metadata.delta import Delta

__all__ = ["Coordinators"]

IMPORT_AGAIN_S: Final = 0.1
"""After there were no descriptors left to read a module with."""


@final
class Coordinators:
    """The group coordinator, and who follows the metadata for it (``Publisher``). ``follow`` comes before the first
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
    ) -> None:
        """``writes_out_soon``, ``caught_up``, ``report``, ``loaded``: see ``CoordinatorRuntime``."""
        self._node_id = config.node_id
        self._partition_count = config.integer("offsets.topic.num.partitions")
        self._settings_of = BrokerTopicConfigs(config).settings
        self._counted = 0
        self._counted_in: Image | None = None
        self._batch_bytes_max = 0
        self._metadata: MetadataCache | None = None
        self._gone: deque[tuple[str, bytes]] = deque()
        self._changed: deque[TopicsChanged] = deque()
        self._news = trio.Event()
        self._config_of = DynamicLayers(config)
        self._topics = GroupMetadata(config)
        groups = GroupsConfig.of(config, self._topics.settings)
        self._runtime: CoordinatorRuntime[GroupShard] = CoordinatorRuntime(
            logs,
            GroupRecords(),
            lambda _partition: _machine_class()(groups, lambda: uuid_of(random_bytes), self._topics.hashes),
            clock,
            append_timeout_ms=groups.commit_timeout_ms,
            batch_bytes_max=lambda: self._batch_bytes_max,
            writes_out_soon=writes_out_soon,
            caught_up=caught_up,
            report=report,
            loaded=loaded,
        )
        self.groups: Final = GroupCoordinator(self._runtime, self._partitions)
        self.loop_lag: Final = LoopLag()
        """How long requests wait for this thread."""

    def follow(self, metadata: MetadataCache) -> None:
        """Whose publications these are."""
        self._metadata = metadata

    async def run(self) -> None:
        """Until cancelled."""
        trio.lowlevel.add_instrument(self.loop_lag)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._runtime.run)
                await self._tell()
        finally:
            trio.lowlevel.remove_instrument(self.loop_lag)

    def write_out(self) -> None:
        """Begins to write what has been decided: the last thing in every drain of the data plane."""
        self._runtime.write_out()

    async def prepare(self) -> None:
        """Imports the machines, on a thread. They take a fifth of all imports: for that no client should wait that only
        wants its first answer, and none that joins the first group either. A lack of descriptors is waited out."""
        while True:
            try:
                await trio.to_thread.run_sync(_machine_class, abandon_on_cancel=True)
                return
            except OSError:
                await trio.sleep(IMPORT_AGAIN_S)

    def _partitions(self) -> int:
        assert self._metadata is not None
        image = self._metadata.image
        if image is not self._counted_in:
            topic = image.topics.named(GROUP_TOPIC)
            self._counted = self._partition_count if topic is None else len(topic.partitions)
            self._counted_in = image
        return self._counted

    # --- the metadata -----------------------------------------------------------------------------------------------

    def publish(self, delta: Delta, image: Image) -> None:
        """See ``Publisher``."""
        for topic_id, topic in delta.removed_topics.items():
            if topic.name == GROUP_TOPIC:
                self._runtime.resign_all()
            else:
                self._gone.append((topic.name, topic_id))
                self._news.set()
        changed = self._topics.publish(delta, image, self._config_of(image))
        if changed.names:
            self._changed.append(changed)
            self._news.set()
        self._configure(delta, image)
        for topic_id, change in delta.topics.items():
            if change.name == GROUP_TOPIC:
                for index in change.changed:
                    partition = change.get(index)
                    if partition[LEADER] == self._node_id:
                        ready = partial(self._served, range(image.provenance.offset, image.provenance.offset + 1))
                        self._runtime.elect(topic_id, index, partition[LEADER_EPOCH], ready)
                    else:
                        self._runtime.resign(index)

    def _configure(self, delta: Delta, image: Image) -> None:
        resources = ((RESOURCE_TOPIC, GROUP_TOPIC), (RESOURCE_BROKER, ""), (RESOURCE_BROKER, str(self._node_id)))
        if self._batch_bytes_max == 0 or any(resource in delta.configs for resource in resources):
            settings = self._settings_of(image, image.config(RESOURCE_TOPIC, GROUP_TOPIC))
            self._batch_bytes_max = settings.max_message_bytes

    async def _served(self, offsets: range) -> None:
        assert self._metadata is not None
        await self._metadata.wait_served(offsets)
        while True:
            try:
                # Long done by ``prepare``, but for those who are elected at once.
                _machine_class()
                return
            except OSError:
                await trio.sleep(IMPORT_AGAIN_S)

    async def _tell(self) -> None:
        """Tells groups of what has happened to topics."""
        while True:
            while self._gone:
                name, topic_id = self._gone.popleft()
                await self._runtime.tell_all(partial(_topic_deleted, name, topic_id))
            while self._changed:
                await self._runtime.tell_all(partial(_topics_changed, self._changed.popleft()))
            self._news = trio.Event()
            await self._news.wait()


def _topic_deleted(name: str, topic_id: bytes, shard: GroupShard, _outbox: Outbox) -> None:
    shard.topic_deleted(name, topic_id)


def _topics_changed(changed: TopicsChanged, shard: GroupShard, _outbox: Outbox) -> None:
    shard.topics_changed(changed.names, created=changed.created)


def _machine_class() -> type[GroupShard]:
    from ottla.groups.shard import GroupShard

    return GroupShard


def uuid_of(random_bytes: Callable[[int], bytes]) -> str:
    """``UUID.randomUUID().toString()``: version 4, in hexadecimal with dashes."""
    raw = bytearray(random_bytes(16))
    raw[6] = (raw[6] & 0x0F) | 0x40
    raw[8] = (raw[8] & 0x3F) | 0x80
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
