"""What consumer groups read of the configuration."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, final

from ottla.groups.assignors.steps import STEP_WORK

__all__ = ["AssigningLimits", "ConsumerConfig", "GroupSettings", "MigrationPolicy"]


class MigrationPolicy(enum.Enum):
    """``group.consumer.migration.policy``: between which protocols a group with members may move."""

    DISABLED = "disabled"
    DOWNGRADE = "downgrade"
    UPGRADE = "upgrade"
    BIDIRECTIONAL = "bidirectional"

    @property
    def upgrades(self) -> bool:
        """May a classic group become a consumer group?"""
        return self in (MigrationPolicy.UPGRADE, MigrationPolicy.BIDIRECTIONAL)

    @property
    def downgrades(self) -> bool:
        """May a consumer group become a classic group?"""
        return self in (MigrationPolicy.DOWNGRADE, MigrationPolicy.BIDIRECTIONAL)


class GroupSettings(NamedTuple):
    """What may differ from group to group: ``consumer.*`` of the GROUP resource, or the broker's own defaults."""

    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 5_000
    assignment_interval_ms: int = 1_000
    """A target is not computed again before; joins that come in a burst cost one computation."""


class AssigningLimits(NamedTuple):
    """How targets are made. Work is counted in units of about a microsecond (``ottla.groups.assignors.steps``)."""

    at_once_work_max: int = 4_000
    """More is made between requests: a slice, with what else a heartbeat does, stays below 5 ms."""
    step_work: int = STEP_WORK
    steps_per_advance: int = 4
    """Some 2 ms; what is left is due at once."""


def _defaults(_group_id: str) -> GroupSettings:
    return GroupSettings()


@final
@dataclass(slots=True, frozen=True)
class ConsumerConfig:
    """Each with Kafka's key and default."""

    settings: Callable[[str], GroupSettings] = field(default=_defaults)
    """Those of a group, as they are now."""
    assignors: tuple[str, ...] = ("uniform", "range")
    """``group.consumer.assignors``: those that members may ask for; the first one serves those who do not ask."""
    members_max: int = 2**31 - 1
    """``group.consumer.max.size``."""
    classic_members_max: int = 2**31 - 1
    """``group.max.size``: a larger group is not turned into a classic one."""
    regex_refresh_interval_ms: int = 600_000
    """``group.consumer.regex.refresh.interval.ms``: deleted topics and changed permissions are noticed by then."""
    assigning: AssigningLimits = field(default_factory=AssigningLimits)
    """No key of Kafka's."""
    migration: MigrationPolicy = MigrationPolicy.BIDIRECTIONAL
