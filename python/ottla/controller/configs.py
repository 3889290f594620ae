"""What the controller asks of configurations: may a topic have these, what follows from them, which records say so.

Prior art: Kafka's ``ConfigurationControlManager``. The keys, their checks and defaults are those of ``ottla.config``;
here they meet the image, which holds the dynamic layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, final

from ottla.config.definition import ConfigError
from ottla.config.describe import Entry, describe_topic
from ottla.config.group import validate_group
from ottla.config.topic import TopicSettings, topic_settings, validate_topic
from ottla.config.values import BrokerConfig
from ottla.metadata.image import RESOURCE_BROKER, RESOURCE_TOPIC, Image
from ottla.records.cluster_metadata import ConfigRecord

__all__ = ["BrokerTopicConfigs", "DynamicLayers", "TopicConfigs", "effective_min_isr", "topic_config_records"]

MIN_IN_SYNC_REPLICAS = "min.insync.replicas"


class TopicConfigs(Protocol):
    """Topic configs as one broker understands them."""

    def refuse(self, image: Image, overrides: Mapping[str, str | None]) -> str | None:
        """Why a topic may not be created with these, in Kafka's words; None when it may."""

    def refuse_topic(self, image: Image, values: Mapping[str, str], before: Mapping[str, str]) -> str | None:
        """Why a topic that had ``before`` may not have these instead, in Kafka's words; None when it may."""

    def refuse_group(self, image: Image, values: Mapping[str, str]) -> str | None:
        """Why a group may not have these, in Kafka's words; None when it may."""

    def describe(self, image: Image, overrides: Mapping[str, str]) -> list[Entry]:
        """Every key with its value and source, for the answer to CreateTopics, by name."""

    def settings(self, image: Image, overrides: Mapping[str, str]) -> TopicSettings:
        """What the logs of such a topic do."""


@final
class BrokerTopicConfigs:
    """Topic configs over the static settings of this broker and the dynamic layers of an image."""

    def __init__(self, static: BrokerConfig) -> None:
        self._layers = DynamicLayers(static)

    def refuse(self, image: Image, overrides: Mapping[str, str | None]) -> str | None:
        return _refusal(lambda: validate_topic(self._layers(image), overrides))

    def refuse_topic(self, image: Image, values: Mapping[str, str], before: Mapping[str, str]) -> str | None:
        return _refusal(lambda: validate_topic(self._layers(image), values, before))

    def refuse_group(self, image: Image, values: Mapping[str, str]) -> str | None:
        return _refusal(lambda: validate_group(self._layers(image), values))

    def describe(self, image: Image, overrides: Mapping[str, str]) -> list[Entry]:
        return sorted(describe_topic(self._layers(image), overrides), key=lambda entry: entry.name)

    def settings(self, image: Image, overrides: Mapping[str, str]) -> TopicSettings:
        return topic_settings(self._layers(image), overrides)


@final
class DynamicLayers:
    """The config of this broker under the dynamic layers of an image; the newest is remembered, since parsing it costs
    more than comparing the layers."""

    def __init__(self, static: BrokerConfig) -> None:
        self._static = static
        self._image: Image | None = None
        self._last: tuple[Mapping[str, str], Mapping[str, str], BrokerConfig] | None = None

    def __call__(self, image: Image) -> BrokerConfig:
        if image is self._image and self._last is not None:
            return self._last[2]
        self._image = image
        cluster = image.config(RESOURCE_BROKER, "")
        broker = image.config(RESOURCE_BROKER, str(self._static.node_id))
        if self._last is None or self._last[0] != cluster or self._last[1] != broker:
            self._last = (cluster, broker, self._static.with_dynamic(cluster, broker))
        return self._last[2]


def _refusal(validate: Callable[[], None]) -> str | None:
    try:
        validate()
    except ConfigError as error:
        return error.message
    return None


def topic_config_records(topic: str, configs: Iterable[tuple[str, str]]) -> list[ConfigRecord]:
    """The records that give a new topic its configs, by name."""
    return [
        ConfigRecord(resource_type=RESOURCE_TOPIC, resource_name=topic, name=name, value=value)
        for name, value in sorted(configs)
    ]


def effective_min_isr(image: Image, topic: str, static: str) -> int:
    """min.insync.replicas of a topic: its own, else the cluster's, else what the controller was started with."""
    value = image.config(RESOURCE_TOPIC, topic).get(MIN_IN_SYNC_REPLICAS)
    return int(value or image.config(RESOURCE_BROKER, "").get(MIN_IN_SYNC_REPLICAS) or static)
