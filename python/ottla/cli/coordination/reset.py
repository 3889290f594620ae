"""Where a group shall go on: the plan, thought out before anything is done.

A target is what the command line says; a plan has a move for each partition, with the offset it comes to. Nothing goes
beyond what is in the log: a move that would is held at its start or its end, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias, final

from ottla.cli import output
from ottla.cli.coordination.coordinator import Committed, TopicPartition
from ottla.cli.errors import CommandError, UsageError

__all__ = [
    "Earliest",
    "FromFile",
    "Latest",
    "Move",
    "Shift",
    "Target",
    "Time",
    "To",
    "facts",
    "is_of",
    "parse_duration_ms",
    "parse_file",
    "parse_moment_ms",
    "parse_topics",
    "plan",
    "table",
]


@final
class Earliest(NamedTuple):
    """To the start of the log."""


@final
class Latest(NamedTuple):
    """To its end."""


@final
class To(NamedTuple):
    """To this offset."""

    offset: int


@final
class Time(NamedTuple):
    """To the first record of this time, in milliseconds since 1970, or later."""

    timestamp_ms: int


@final
class Shift(NamedTuple):
    """By so many records from where it is; negative for back."""

    records: int


@final
class FromFile(NamedTuple):
    """To what a file says."""

    offsets: Mapping[TopicPartition, int]


Target: TypeAlias = Earliest | Latest | To | Time | Shift | FromFile


@final
class Move(NamedTuple):
    """One partition's part of the plan."""

    where: TopicPartition
    before: int | None
    """None: nothing was committed."""
    after: int
    start: int
    end: int
    note: str = ""
    """What was done differently from what was asked."""

    @property
    def change(self) -> int | None:
        return None if self.before is None else self.after - self.before


def plan(
    target: Target,
    partitions: Iterable[TopicPartition],
    committed: Mapping[TopicPartition, Committed],
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    at_time: Mapping[TopicPartition, int],
) -> list[Move]:
    """A move for each partition, in order; all of them are in `starts` and `ends`, and for a time in `at_time`, where
    −1 is for none. Raises `CommandError` for a partition whose target has no meaning."""
    moves = []
    for where in sorted(partitions):
        start, end = starts[where], ends[where]
        at = committed.get(where)
        wanted, note = _wanted(target, where, at, start, end, at_time)
        after = min(max(wanted, start), end)
        if after != wanted:
            edge = "start" if after == start else "end"
            note = f"{wanted} is not in the log; its {edge}"
        moves.append(Move(where, None if at is None else at.offset, after, start, end, note))
    return moves


def _wanted(
    target: Target,
    where: TopicPartition,
    at: Committed | None,
    start: int,
    end: int,
    at_time: Mapping[TopicPartition, int],
) -> tuple[int, str]:
    match target:
        case Earliest():
            return start, ""
        case Latest():
            return end, ""
        case To(offset):
            return offset, ""
        case Time():
            found = at_time[where]
            return (found, "") if found >= 0 else (end, "no record is that late; its end")
        case Shift(records):
            if at is None:
                raise CommandError(
                    f"{where}: there is nothing to shift, the group has not committed it", "--to-earliest, --to-latest"
                )
            return at.offset + records, ""
        case FromFile(offsets):
            return offsets[where], ""


def table(moves: Iterable[Move]) -> str:
    """The plan for people."""
    found = list(moves)
    headings: tuple[str, ...] = ("TOPIC", "PARTITION", "START", "END", "NOW", "NEW", "CHANGE")
    rows: list[tuple[object, ...]] = [
        (*move.where, move.start, move.end, move.before, move.after, move.change) for move in found
    ]
    if any(move.note for move in found):
        headings += ("NOTE",)
        rows = [(*row, move.note) for row, move in zip(rows, found, strict=True)]
    return output.table(headings, rows)


def facts(group: str, move: Move) -> dict[str, Any]:
    """For programs."""
    return {
        "group": group,
        "topic": move.where.topic,
        "partition": move.where.partition,
        "before": move.before,
        "offset": move.after,
        "start": move.start,
        "end": move.end,
        "note": move.note or None,
    }


_UNITS_MS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000}
_DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def parse_duration_ms(text: str) -> int:
    """`90s`, `1h30m`, `2d`; or as ISO 8601 has it, `PT1H30M`, `P2D`. Raises `UsageError`."""
    plain = text.lower()
    if plain.startswith("p"):
        plain = plain[1:].replace("t", "", 1)
    found = _DURATION.fullmatch(plain)
    if not found or not any(found.groups()):
        raise UsageError(f"{text!r} is no duration", "durations look like 90s, 1h30m, 2d, PT1H30M")
    return sum(int(count or 0) * unit for count, unit in zip(found.groups(), _UNITS_MS.values(), strict=True))


def parse_moment_ms(text: str) -> int:
    """Milliseconds since 1970, or ISO 8601, of UTC where it does not say. Raises `UsageError`."""
    if text.isdecimal():
        return int(text)
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no time", "times look like 2025-12-31T23:59:59Z, or are milliseconds since 1970"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def parse_topics(texts: Iterable[str]) -> dict[str, set[int] | None]:
    """`TOPIC`, all of its partitions (None), or `TOPIC:0,2`. Raises `UsageError`."""
    found: dict[str, set[int] | None] = {}
    for text in texts:
        name, colon, listed = text.partition(":")
        indexes = listed.split(",") if colon else []
        if not name or not all(index.isdecimal() for index in indexes):
            raise UsageError(f"--topic {text}: expected TOPIC or TOPIC:PARTITION,...")
        before = found.get(name, set())
        found[name] = before | {int(index) for index in indexes} if colon and before is not None else None
    return found


def is_of(where: TopicPartition, topics: dict[str, set[int] | None]) -> bool:
    """Is the partition one of these?"""
    indexes = topics.get(where.topic, set())
    return indexes is None or where.partition in indexes


def parse_file(text: str, source: str, group: str) -> dict[TopicPartition, int]:
    """Lines of `TOPIC,PARTITION,OFFSET`, or with the group before, as Kafka's tool exports them; or of JSON, as `ottla
    groups offsets --json` writes it. Those of other groups are passed over. Raises `UsageError`, with the line."""
    found: dict[TopicPartition, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        try:
            owner, where, offset = _line(words)
        except (ValueError, KeyError, TypeError):
            raise UsageError(
                f"{source}, line {number}: {words[:80]!r} is neither TOPIC,PARTITION,OFFSET nor JSON with these",
                "ottla groups offsets GROUP --json writes what is read here",
            ) from None
        if owner not in (None, group):
            continue
        if where in found:
            raise UsageError(f"{source}, line {number}: {where} is there twice")
        found[where] = offset
    if not found:
        raise UsageError(f"{source} has no offsets of group {group}")
    return found


def _line(words: str) -> tuple[str | None, TopicPartition, int]:
    """The group, where the line names one; what is to be committed."""
    if words.startswith("{"):
        import json

        found = json.loads(words)
        owner = found.get("group")
        where, offset = TopicPartition(str(found["topic"]), int(found["partition"])), int(found["offset"])
    else:
        import csv

        try:
            (cells,) = csv.reader([words], strict=True, skipinitialspace=True)
        except csv.Error as error:
            raise ValueError(words) from error
        *before, topic, partition, last = (cell.strip() for cell in cells)
        if len(before) > 1:
            raise ValueError(words)
        owner = before[0] if before else None
        where, offset = TopicPartition(topic, int(partition)), int(last)
    if offset < 0 or where.partition < 0 or not where.topic:
        raise ValueError(words)
    return owner, where, offset
