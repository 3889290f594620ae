"""What the classic protocol reads of the broker's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

__all__ = ["ClassicConfig"]


@final
@dataclass(slots=True, frozen=True)
class ClassicConfig:
    """Each with Kafka's key and default."""

    session_timeout_ms_min: int = 6_000
    """``group.min.session.timeout.ms``: heartbeats of shorter sessions would be a burden."""
    session_timeout_ms_max: int = 1_800_000
    """``group.max.session.timeout.ms``: a member that died holds its partitions for no longer."""
    initial_rebalance_delay_ms: int = 3_000
    """``group.initial.rebalance.delay.ms``: how long an empty group waits for more members."""
    members_max: int = 2**31 - 1
    """``group.max.size``."""
    told_at_once: int = 500
    """So many members hear of the end of a phase together, some 2 ms of work; no key of Kafka's."""
