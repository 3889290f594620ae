"""What the broker's configuration says about committed offsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

__all__ = ["OffsetsConfig"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetsConfig:
    """The defaults are Kafka's."""

    commit_timeout_ms: int = 5_000
    """``offsets.commit.timeout.ms``, of everything that the coordinator writes."""
    codec: int = 0
    """``offsets.topic.compression.codec``, as in the attributes of a batch: 0 (none) to 4 (zstd)."""
    metadata_chars_max: int = 4096
    """``offset.metadata.max.bytes``, which counts UTF-16 code units all the same."""
    retention_ms: int = 7 * 24 * 3600 * 1000
    """``offsets.retention.minutes``: a week covers a consumer that is down over a long weekend."""
    retention_check_interval_ms: int = 600_000
    """``offsets.retention.check.interval.ms``."""
