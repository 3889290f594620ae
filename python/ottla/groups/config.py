"""What the group coordinator reads of the broker's configuration, for each of its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from ottla.config.values import BrokerConfig
from ottla.groups.classic import ClassicConfig
from ottla.groups.offsets.config import OffsetsConfig

__all__ = ["GroupsConfig"]

_MINUTE_MS = 60_000


@final
@dataclass(slots=True, frozen=True)
class GroupsConfig:
    """The defaults are Kafka's."""

    classic: ClassicConfig = field(default_factory=ClassicConfig)
    offsets: OffsetsConfig = field(default_factory=OffsetsConfig)
    commit_timeout_ms: int = 5_000
    """``offsets.commit.timeout.ms``, of everything that the coordinator writes."""

    @staticmethod
    def of(config: BrokerConfig) -> GroupsConfig:
        """From the broker's configuration."""
        return GroupsConfig(
            classic=ClassicConfig(
                session_timeout_ms_min=config.integer("group.min.session.timeout.ms"),
                session_timeout_ms_max=config.integer("group.max.session.timeout.ms"),
                initial_rebalance_delay_ms=config.integer("group.initial.rebalance.delay.ms"),
                members_max=config.integer("group.max.size"),
            ),
            offsets=OffsetsConfig(
                metadata_chars_max=config.integer("offset.metadata.max.bytes"),
                retention_ms=config.integer("offsets.retention.minutes") * _MINUTE_MS,
                retention_check_interval_ms=config.integer("offsets.retention.check.interval.ms"),
            ),
            commit_timeout_ms=config.integer("offsets.commit.timeout.ms"),
        )
