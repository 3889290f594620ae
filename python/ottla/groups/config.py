"""What the group coordinator reads of the broker's configuration, for each of its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import final

from ottla.config.values import BrokerConfig
from ottla.groups.classic.config import ClassicConfig
from ottla.groups.consumer.config import ConsumerConfig, GroupSettings, MigrationPolicy
from ottla.groups.offsets.config import OffsetsConfig

__all__ = ["GroupsConfig"]

_MINUTE_MS = 60_000
_BUILT_IN = MappingProxyType(
    {
        "org.apache.kafka.coordinator.group.assignor.UniformAssignor": "uniform",
        "org.apache.kafka.coordinator.group.assignor.RangeAssignor": "range",
    }
)
"""Kafka takes its own classes by name, too."""


@final
@dataclass(slots=True, frozen=True)
class GroupsConfig:
    """The defaults are Kafka's."""

    classic: ClassicConfig = field(default_factory=ClassicConfig)
    consumer: ConsumerConfig = field(default_factory=ConsumerConfig)
    offsets: OffsetsConfig = field(default_factory=OffsetsConfig)

    @staticmethod
    def of(config: BrokerConfig, settings: Callable[[str], GroupSettings]) -> GroupsConfig:
        """From the broker's configuration. ``settings``: those of a group, as they are when it is called."""
        return GroupsConfig(
            classic=ClassicConfig(
                session_timeout_ms_min=config.integer("group.min.session.timeout.ms"),
                session_timeout_ms_max=config.integer("group.max.session.timeout.ms"),
                initial_rebalance_delay_ms=config.integer("group.initial.rebalance.delay.ms"),
                members_max=config.integer("group.max.size"),
            ),
            consumer=ConsumerConfig(
                settings=settings,
                assignors=tuple(_BUILT_IN.get(name, name) for name in config.words("group.consumer.assignors")),
                members_max=config.integer("group.consumer.max.size"),
                classic_members_max=config.integer("group.max.size"),
                regex_refresh_interval_ms=config.integer("group.consumer.regex.refresh.interval.ms"),
                migration=MigrationPolicy(config.text("group.consumer.migration.policy").lower()),
            ),
            offsets=OffsetsConfig(
                commit_timeout_ms=config.integer("offsets.commit.timeout.ms"),
                codec=config.integer("offsets.topic.compression.codec"),
                metadata_chars_max=config.integer("offset.metadata.max.bytes"),
                retention_ms=config.integer("offsets.retention.minutes") * _MINUTE_MS,
                retention_check_interval_ms=config.integer("offsets.retention.check.interval.ms"),
            ),
        )
