"""From a change of the image to what others must do: the delta of the data plane's view, and the broker's own dynamic
config.

Prior art: Kafka's ``BrokerMetadataPublisher``, ``ReplicaManager.applyDelta`` and ``DynamicConfigPublisher``. Ours
computes plain data; the data plane carries it out. ``view_delta`` is pure: a test holds that deltas, applied one after
another, give the same view as one made from the whole image.

Invariants: a topic appears once in a delta; settings are sent when they are new or their text changed; a change of
broker defaults sends the settings of every topic again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, final

from ottla.config.topic import TopicSettings
from ottla.config.values import BrokerConfig
from ottla.metadata.delta import Delta, TopicDelta
from ottla.metadata.image import (
    DIRECTORIES,
    ISR,
    KRAFT_VERSION,
    LEADER,
    LEADER_EPOCH,
    PARTITION_EPOCH,
    REPLICAS,
    RESOURCE_BROKER,
    RESOURCE_TOPIC,
    Image,
    Partition,
)
from ottla.metadata.view import (
    BrokerView,
    DataPlane,
    Endpoint,
    LeadPartition,
    PartitionView,
    PendingView,
    StopPartition,
    TopicView,
    ViewDelta,
)
from ottla.records.cluster_metadata import RegisterBrokerRecord

__all__ = [
    "BrokerConfigPublisher",
    "DataPlanePublisher",
    "LocalBroker",
    "broker_view",
    "offline_replicas",
    "partition_view",
]

SettingsOf = Callable[[Image, Mapping[str, str]], TopicSettings]


@final
class LocalBroker:
    """What a view depends on beside the image: which broker it is for."""

    def __init__(self, broker_id: int, advertised_listeners: frozenset[str], kraft_version: int) -> None:
        """``advertised_listeners``: those with an address of their own to tell; of the others clients are told the
        address they connected by."""
        self.broker_id: Final = broker_id
        self.advertised_listeners: Final = advertised_listeners
        self.kraft_version: Final = kraft_version


def offline_replicas(image: Image, partition: Partition) -> tuple[int, ...]:
    """Replicas on brokers that are not alive."""
    return tuple(replica for replica in partition[REPLICAS] if not image.alive(replica))


def partition_view(
    image: Image, index: int, partition: Partition, offline: tuple[int, ...] | None = None
) -> PartitionView:
    """How Metadata shows the partition."""
    return (
        index,
        partition[LEADER],
        partition[LEADER_EPOCH],
        partition[PARTITION_EPOCH],
        partition[REPLICAS],
        partition[ISR],
        offline_replicas(image, partition) if offline is None else offline,
    )


def broker_view(broker: RegisterBrokerRecord, local: LocalBroker) -> BrokerView:
    """How Metadata shows the broker; its own open listeners without a host."""
    return BrokerView(
        broker.broker_id,
        broker.broker_epoch,
        broker.rack,
        tuple(
            Endpoint(
                end.name,
                "" if broker.broker_id == local.broker_id and end.name not in local.advertised_listeners else end.host,
                end.port,
                end.security_protocol,
            )
            for end in broker.end_points
        ),
    )


def view_delta(delta: Delta, image: Image, local: LocalBroker, settings_of: SettingsOf) -> ViewDelta:
    """What ``delta`` means for the data plane of ``local``."""
    all_settings = (RESOURCE_BROKER, "") in delta.configs or (RESOURCE_BROKER, str(local.broker_id)) in delta.configs
    turned = frozenset(b for b in delta.changed_brokers if delta.before.alive(b) != image.alive(b))
    alive = [image.brokers[b] for b in sorted(delta.changed_brokers) if image.alive(b)]
    gone = [b for b in sorted(delta.changed_brokers) if delta.before.alive(b) and not image.alive(b)]
    features = {**image.features, KRAFT_VERSION: local.kraft_version} if delta.features_changed else None
    return ViewDelta(
        offset=image.provenance.offset + 1,
        topics=list(_topic_views(delta, image, settings_of, all_settings, turned)),
        removed_topic_ids=list(delta.removed_topics),
        brokers=[broker_view(broker, local) for broker in alive],
        removed_broker_ids=gone,
        features=None if features is None else {name: level for name, level in features.items() if level > 0},
        lead=[command for topic in delta.topics.values() for command in _leads(topic, local.broker_id)],
        stop=[*_removed(delta, local.broker_id), *_stops(delta.topics.values(), local.broker_id)],
    )


def _topic_views(
    delta: Delta, image: Image, settings_of: SettingsOf, all_settings: bool, turned: frozenset[int]
) -> Iterable[TopicView]:
    """Topics of which records speak, and those that a config or the fate of a broker changes. ``turned``: brokers that
    came alive or ceased to be."""
    offline: dict[tuple[int, ...], tuple[int, ...]] = {}
    for topic_id in _concerned(delta, image, every=all_settings or bool(turned)):
        topic, change = image.topics.by_id[topic_id], delta.topics.get(topic_id)
        changed = {} if change is None else change.changed
        partitions: list[PartitionView] = []
        for index in range(len(topic.partitions)) if turned else sorted(changed):
            partition = topic.partitions[index]
            replicas = partition[REPLICAS]
            if index not in changed and turned.isdisjoint(replicas):
                continue
            if replicas not in offline:
                offline[replicas] = offline_replicas(image, partition)
            partitions.append(partition_view(image, index, partition, offline[replicas]))
        is_new = change is not None and change.before is None
        with_settings = is_new or all_settings or (RESOURCE_TOPIC, topic.name) in delta.configs
        if partitions or with_settings:
            settings = settings_of(image, image.config(RESOURCE_TOPIC, topic.name)) if with_settings else None
            yield TopicView(topic_id, topic.name, topic.internal, len(topic.partitions), partitions, settings)


def _concerned(delta: Delta, image: Image, *, every: bool) -> Iterable[bytes]:
    """Ids of topics that may look different, each once."""
    if every:
        return image.topics.by_id
    names = (name for kind, name in delta.configs if kind == RESOURCE_TOPIC)
    configured = (topic_id for name in names if (topic_id := image.topics.id_of.get(name)) is not None)
    return dict.fromkeys((*delta.topics, *configured))


def _leads(change: TopicDelta, broker_id: int) -> Iterable[LeadPartition]:
    for index in change.changed:
        partition = change.get(index)
        if partition[LEADER] == broker_id:
            replicas = partition[REPLICAS]
            yield LeadPartition(
                change.topic_id,
                change.name,
                index,
                partition[LEADER_EPOCH],
                partition[PARTITION_EPOCH],
                replicas,
                partition[ISR],
                partition[DIRECTORIES][replicas.index(broker_id)],
            )


def _stops(changes: Iterable[TopicDelta], broker_id: int) -> Iterable[StopPartition]:
    """Partitions that this broker led and leads no longer; their logs go when it is no replica any more."""
    for change in changes:
        before = () if change.before is None else change.before.partitions
        for index in change.changed:
            if index < len(before) and broker_id in before[index][REPLICAS]:
                partition = change.get(index)
                is_replica = broker_id in partition[REPLICAS]
                if not is_replica or (before[index][LEADER] == broker_id and partition[LEADER] != broker_id):
                    yield StopPartition(change.topic_id, change.name, index, delete=not is_replica)


def _removed(delta: Delta, broker_id: int) -> Iterable[StopPartition]:
    for topic_id, topic in delta.removed_topics.items():
        for index, partition in enumerate(topic.partitions):
            if broker_id in partition[REPLICAS]:
                yield StopPartition(topic_id, topic.name, index, delete=True)


@final
class DataPlanePublisher:
    """Sends the view of one broker down."""

    def __init__(self, data_plane: DataPlane, local: Callable[[], LocalBroker], settings_of: SettingsOf) -> None:
        """``local`` is asked at the first publication, when the quorum is known."""
        self._data_plane = data_plane
        self._local_of = local
        self._local: LocalBroker | None = None
        self._settings_of = settings_of

    def publish(self, delta: Delta, image: Image) -> PendingView | None:
        if self._local is None:
            self._local = self._local_of()
        view = view_delta(delta, image, self._local, self._settings_of)
        return None if view.is_empty() else self._data_plane.publish(view)


@final
class BrokerConfigPublisher:
    """Tells whoever holds broker settings when their dynamic layers changed."""

    def __init__(
        self, layers: Callable[[Image], BrokerConfig], changed: Callable[[BrokerConfig], None], broker_id: int
    ) -> None:
        self._layers = layers
        self._changed = changed
        self._resources = frozenset({(RESOURCE_BROKER, ""), (RESOURCE_BROKER, str(broker_id))})

    def publish(self, delta: Delta, image: Image) -> None:
        if not self._resources.isdisjoint(delta.configs):
            self._changed(self._layers(image))
