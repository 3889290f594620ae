"""How far behind a group is: in records, and in seconds.

Records: from what is committed to the end of the partition, as Kafka's tool counts. Seconds: how long ago the record
was written that the group has to read next; none when it has read all. So a group at the end is not behind however
quiet its topics are, and one that has stopped falls behind by a second each second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, final

from ottla.cli import output
from ottla.cli.coordination.coordinator import Committed, TopicPartition
from ottla.cli.errors import DONE, FAILED

__all__ = ["HEADINGS", "Lag", "exit_code", "facts", "lags", "rows", "to_ask_times_of", "total"]

HEADINGS: Final = ("GROUP", "TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "SECONDS")


@final
class Lag(NamedTuple):
    """Of one partition. None where a leader did not say."""

    group: str
    where: TopicPartition
    committed: int
    end: int | None
    seconds: float | None

    @property
    def records(self) -> int | None:
        return None if self.end is None else self.end - self.committed


@final
class Total(NamedTuple):
    """Of a group."""

    records: int
    seconds: float | None
    """The most that a partition is behind; None when nothing is known of any."""
    unknown: int
    """Partitions whose leaders did not say."""


def to_ask_times_of(
    committed: Mapping[TopicPartition, Committed], ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Partitions with something to read, and from where on."""
    return {where: at.offset for where, at in committed.items() if at.offset < ends.get(where, 0)}


def lags(
    group: str,
    committed: Mapping[TopicPartition, Committed],
    ends: Mapping[TopicPartition, int],
    times_ms: Mapping[TopicPartition, int],
    now_ms: int,
) -> list[Lag]:
    """Of each partition the group has committed."""
    found = []
    for where, at in sorted(committed.items()):
        end = ends.get(where)
        seconds = None
        if end is not None and at.offset >= end:
            seconds = 0.0
        elif where in times_ms and times_ms[where] >= 0:
            # A producer's clock may be ahead of ours.
            seconds = max(now_ms - times_ms[where], 0) / 1000
        found.append(Lag(group, where, at.offset, end, seconds))
    return found


def total(found: Iterable[Lag]) -> Total:
    """Of all partitions of a group."""
    records, unknown, seconds = 0, 0, list[float]()
    for lag in found:
        records += max(lag.records or 0, 0)
        unknown += lag.records is None
        if lag.seconds is not None:
            seconds.append(lag.seconds)
    return Total(records, max(seconds, default=None), unknown)


def rows(found: Iterable[Lag]) -> list[tuple[object, ...]]:
    return [
        (
            lag.group,
            lag.where.topic,
            lag.where.partition,
            lag.committed,
            lag.end,
            lag.records,
            None if lag.seconds is None else f"{lag.seconds:.1f}",
        )
        for lag in found
    ]


def facts(lag: Lag) -> dict[str, Any]:
    """For programs."""
    return {
        "group": lag.group,
        "topic": lag.where.topic,
        "partition": lag.where.partition,
        "offset": lag.committed,
        "end": lag.end,
        "lag": lag.records,
        "seconds": lag.seconds,
    }


def summary(group: str, found: Total) -> str:
    """A line for people."""
    seconds = "-" if found.seconds is None else f"{found.seconds:.1f}"
    unknown = f", {found.unknown} partitions unknown" if found.unknown else ""
    return f"{group}: {output.number(found.records)} records, {seconds} s behind{unknown}\n"


def exit_code(found: Total, records_max: int | None, seconds_max: float | None) -> int:
    """`FAILED` when the group is further behind than allowed, or nobody knows."""
    if records_max is None and seconds_max is None:
        return DONE
    too_many = records_max is not None and found.records > records_max
    too_late = seconds_max is not None and (found.seconds is None or found.seconds > seconds_max)
    return FAILED if too_many or too_late or found.unknown else DONE
