"""Configurations as this broker sees them now: its own settings under the dynamic layers of the newest metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from ottla.api.broker import MetadataCache
from ottla.config.values import BrokerConfig
from ottla.controller.configs import DynamicLayers
from ottla.metadata.image import RESOURCE_CLIENT_METRICS, RESOURCE_GROUP, RESOURCE_TOPIC

__all__ = ["MetadataConfigs"]


@final
class MetadataConfigs:
    """The dynamic layers are those of the newest metadata that this broker has."""

    def __init__(self, static: BrokerConfig, metadata: MetadataCache) -> None:
        self._layers = DynamicLayers(static)
        self._metadata = metadata

    @property
    def current(self) -> BrokerConfig:
        return self._layers(self._metadata.image)

    def topic_overrides(self, name: str) -> Mapping[str, str] | None:
        image = self._metadata.image
        return None if image.topics.named(name) is None else image.config(RESOURCE_TOPIC, name)

    def group_overrides(self, name: str) -> Mapping[str, str]:
        return self._metadata.image.config(RESOURCE_GROUP, name)

    def client_metrics_overrides(self, name: str) -> Mapping[str, str]:
        return self._metadata.image.config(RESOURCE_CLIENT_METRICS, name)
