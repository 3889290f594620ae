"""How far behind a group is: in records, and in seconds.

Records: from what is committed to the end of the partition, as Kafka's tool counts; but where the end is near enough to
be seen (some kilobytes), markers of transactions are left out, which have offsets and which nobody reads. So who has
read all is not behind, where Kafka's tool says 1 for ever; and of who is far behind, markers are a small part. Counting
them there, too, would mean to read what the group has not read yet. Seconds: how long ago the record
was written that the group has to read next; none when it has read all. So a group at the end is not behind however
quiet its topics are, and one that has stopped falls behind by a second each second.

A partition that a member reads without having committed anything has no lag that anybody knows: where the member
started is its own matter. It is shown, and counts as unknown unless nothing was ever written to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, final

from ottla.cli import output
from ottla.cli.coordination.coordinator import Committed, TopicPartition
from ottla.cli.coordination.positions import Ahead

__all__ = ["HEADINGS", "Lag", "Total", "excess", "facts", "lags", "rows", "summary", "to_ask_times_of", "total"]

HEADINGS: Final = ("GROUP", "TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "SECONDS")


@final
class Lag(NamedTuple):
    """Of one partition."""

    group: str
    where: TopicPartition
    committed: int | None
    """None: a member reads it, and has not committed yet."""
    end: int | None
    """None: its leader did not say."""
    seconds: float | None
    seen: int | None = None
    """Records up to the end, where all of them were seen."""

    @property
    def records(self) -> int | None:
        if self.seen is not None:
            return self.seen
        if self.end is None or (self.committed is None and self.end > 0):
            return None
        return self.end - (self.committed or 0)


@final
class Total(NamedTuple):
    """Of a group."""

    records: int
    seconds: float | None
    """The most that a partition is behind; None when nothing is known of any."""
    unknown: int
    """Partitions of which it is not known."""


def to_ask_times_of(
    committed: Mapping[TopicPartition, Committed], ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Partitions with something to read, and from where on."""
    return {where: at.offset for where, at in committed.items() if at.offset < ends.get(where, 0)}


def lags(
    group: str,
    partitions: Iterable[TopicPartition],
    committed: Mapping[TopicPartition, Committed],
    ends: Mapping[TopicPartition, int],
    aheads: Mapping[TopicPartition, Ahead],
    now_ms: int,
) -> list[Lag]:
    """Of each of these partitions, which the group has committed, or reads."""
    found = []
    for where in sorted(partitions):
        end = ends.get(where)
        offset = committed[where].offset if where in committed else None
        ahead = aheads.get(where)
        seen = ahead.records if ahead is not None and end is not None and ahead.reached >= end else None
        seconds = None
        if seen == 0 or (end is not None and (offset or 0) >= end):
            seconds = 0.0
        elif ahead is not None and ahead.at_ms is not None and ahead.at_ms >= 0:
            # A producer's clock may be ahead of ours.
            seconds = max(now_ms - ahead.at_ms, 0) / 1000
        found.append(Lag(group, where, offset, end, seconds, seen))
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
    return f"{group}: {_count(found.records, 'record')}, {_seconds(found)} s behind{_unknown(found)}\n"


def excess(found: Total, records_max: int | None, seconds_max: float | None) -> str | None:
    """In which way the group is further behind than allowed, or nobody knows; None when it is not."""
    if records_max is None and seconds_max is None:
        return None
    if records_max is not None and found.records > records_max:
        return f"is {_count(found.records, 'record')} behind, --max-records allows {output.number(records_max)}"
    if seconds_max is not None and found.seconds is not None and found.seconds > seconds_max:
        return f"is {_seconds(found)} s behind, --max-seconds allows {seconds_max:g}"
    if found.unknown or (seconds_max is not None and found.seconds is None and found.records):
        return f"may be further behind than allowed: nobody knows{_unknown(found)}"
    return None


def _count(count: int, what: str) -> str:
    return f"{output.number(count)} {what}" if count == 1 else f"{output.number(count)} {what}s"


def _seconds(found: Total) -> str:
    return "-" if found.seconds is None else f"{found.seconds:.1f}"


def _unknown(found: Total) -> str:
    return f", {_count(found.unknown, 'partition')} unknown" if found.unknown else ""
