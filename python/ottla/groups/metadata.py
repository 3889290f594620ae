"""The newest metadata as groups see it: topics, and what is configured for a group.

Prior art: Kafka's ``CoordinatorMetadataImage`` and ``GroupConfigManager``. Ours wraps the image that the broker
publishes; nothing is copied.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple, final

from ottla.config.group import group_value
from ottla.config.values import BrokerConfig
from ottla.groups.consumer.config import GroupSettings
from ottla.groups.consumer.topics import Topic, TopicHashes
from ottla.metadata.delta import Delta
from ottla.metadata.image import REPLICAS, Image

__all__ = ["GroupMetadata", "TopicsChanged", "group_settings"]

RESOURCE_GROUP: Final = 32
SETTINGS_KEPT_MAX: Final = 100_000
"""Groups whose settings are kept in memory once looked up: some 10 MB."""


class TopicsChanged(NamedTuple):
    """What groups have to look at again."""

    names: Collection[str]
    """Topics that came, went, or have other partitions now."""
    created: bool
    """Some are new."""


@final
class GroupMetadata:
    """``Topics`` of ``ottla.groups.consumer``. ``publish`` is called with each change, before anybody is told."""

    def __init__(self, config: BrokerConfig) -> None:
        self._config = config
        self._image = Image()
        self._default = group_settings(config, {})
        self._settings: dict[str, GroupSettings] = {}
        self.hashes: Final = TopicHashes(self)

    def publish(self, delta: Delta, image: Image, config: BrokerConfig) -> TopicsChanged:
        """``config``: the broker's, under the dynamic layers of ``image``."""
        self._image = image
        if delta.configs:
            self._config = config
            self._default = group_settings(config, {})
            self._settings.clear()
        removed = {topic.name for topic in delta.removed_topics.values()}
        changed = {topic.name for topic in delta.topics.values()}
        self.hashes.forget(removed | changed)
        created = any(topic_id not in delta.before.topics.by_id for topic_id in delta.topics)
        return TopicsChanged(removed | changed, created)

    def settings(self, group_id: str) -> GroupSettings:
        """Those of a group, as they are now."""
        found = self._settings.get(group_id)
        if found is None:
            overrides = self._image.config(RESOURCE_GROUP, group_id)
            found = group_settings(self._config, overrides) if overrides else self._default
            if len(self._settings) >= SETTINGS_KEPT_MAX:
                self._settings.clear()
            self._settings[group_id] = found
        return found

    # Topics.

    @property
    def version(self) -> int:
        return self._image.provenance.offset

    def named(self, name: str) -> Topic | None:
        topic = self._image.topics.named(name)
        return None if topic is None else Topic(topic.topic_id, name, len(topic.partitions))

    def with_id(self, topic_id: bytes) -> Topic | None:
        topic = self._image.topics.by_id.get(topic_id)
        return None if topic is None else Topic(topic_id, topic.name, len(topic.partitions))

    def racks_of(self, topic: Topic) -> Sequence[Sequence[str]]:
        racks = {broker_id: broker.rack for broker_id, broker in self._image.brokers.items() if broker.rack is not None}
        found = self._image.topics.by_id.get(topic.topic_id) if racks else None
        if found is None:
            return ()
        return [
            [racks[replica] for replica in partition[REPLICAS] if replica in racks] for partition in found.partitions
        ]

    def names(self) -> Collection[str]:
        return self._image.topics.id_of


def group_settings(config: BrokerConfig, overrides: Mapping[str, str]) -> GroupSettings:
    """Of a group with these configs of its own. What is outside the broker's bounds, which may have been others when it
    was set, counts as the nearest bound."""

    def value(name: str) -> int:
        found = group_value(config, overrides, f"consumer.{name}")
        assert isinstance(found, int), name
        if f"consumer.{name}" not in overrides:
            return found
        least, most = config.integer(f"group.consumer.min.{name}"), config.integer(f"group.consumer.max.{name}")
        return min(max(found, least), most)

    return GroupSettings(
        session_timeout_ms=value("session.timeout.ms"),
        heartbeat_interval_ms=value("heartbeat.interval.ms"),
        assignment_interval_ms=value("assignment.interval.ms"),
    )
