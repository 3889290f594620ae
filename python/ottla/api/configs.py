"""Configurations as this broker sees them now: its own settings under the dynamic layers of the newest metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol, final

from ottla.config.values import BrokerConfig
from ottla.controller.configs import DynamicLayers
from ottla.metadata.image import RESOURCE_TOPIC

if TYPE_CHECKING:
    from ottla.api.broker import MetadataCache

__all__ = ["ConfigSource", "MetadataConfigs"]

_RESOURCE_CLIENT_METRICS: Final = 16
_RESOURCE_GROUP: Final = 32


class ConfigSource(Protocol):
    """Where values come from, as this broker sees it now."""

    @property
    def current(self) -> BrokerConfig:
        """This broker's configuration with its dynamic layers."""

    def topic_overrides(self, name: str) -> Mapping[str, str] | None:
        """What the topic sets itself; None when there is no such topic."""

    def group_overrides(self, name: str) -> Mapping[str, str]:
        """What the group sets itself, empty for one that sets nothing, or that does not exist."""

    def client_metrics_overrides(self, name: str) -> Mapping[str, str]:
        """What the subscription sets, empty for one that does not exist."""


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
        return self._metadata.image.config(_RESOURCE_GROUP, name)

    def client_metrics_overrides(self, name: str) -> Mapping[str, str]:
        return self._metadata.image.config(_RESOURCE_CLIENT_METRICS, name)
