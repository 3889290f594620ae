"""Which file is what, by its name; and what of a directory is wrong as a whole."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ottla.cli.inspection import indexes, texts
from ottla.cli.inspection.report import Report
from ottla.cli.inspection.segments import Segment
from ottla.records import CLUSTER_METADATA

_NUMBERED: Final = re.compile(r"[0-9]{20}\.(log|index|timeindex|txnindex|snapshot)")
_METADATA_SNAPSHOT: Final = re.compile(r"[0-9]{20}-[0-9]{10}\.checkpoint|bootstrap\.checkpoint")
_PARTITION: Final = re.compile(r"(\S+)-([0-9]+)(?:\.[0-9a-f]{32}-(?:delete|future|stray))?")

_READERS: Final = {
    "index": indexes.offset_index,
    "timeindex": indexes.time_index,
    "txnindex": indexes.transaction_index,
    "snapshot": indexes.producer_snapshot,
    "recovery-point-offset-checkpoint": texts.partition_checkpoint,
    "replication-offset-checkpoint": texts.partition_checkpoint,
    "log-start-offset-checkpoint": texts.partition_checkpoint,
    "cleaner-offset-checkpoint": texts.partition_checkpoint,
    "leader-epoch-checkpoint": texts.leader_epochs,
    "meta.properties": texts.meta_properties,
    "partition.metadata": texts.partition_metadata,
    "quorum-state": texts.quorum_state,
    ".kafka_cleanshutdown": texts.clean_shutdown,
}


def topic_of(directory: Path) -> str | None:
    """The topic whose partition a directory holds, by its name."""
    match = _PARTITION.fullmatch(directory.resolve().name)
    return match[1] if match else None


def is_partition(directory: Path) -> bool:
    return _PARTITION.fullmatch(directory.name) is not None or any(directory.glob("*.log"))


def inspect_file(path: Path, *, with_records: bool) -> Report | None:
    """The report of a file, unread yet; None for a name that no file of a data directory has."""
    if _METADATA_SNAPSHOT.fullmatch(path.name):
        return Segment(path, "metadata snapshot", CLUSTER_METADATA, with_records=with_records).report
    match = _NUMBERED.fullmatch(path.name)
    if match is not None and match[1] == "log":
        return Segment(path, "segment", topic_of(path.parent), with_records=with_records).report
    reader = _READERS.get(match[1] if match else path.name)
    return None if reader is None else reader(path)


def files_of(directory: Path) -> list[Path]:
    """The files of a directory that can be read here, by name."""
    return sorted(
        path
        for path in directory.iterdir()
        if path.is_file()
        and (_NUMBERED.fullmatch(path.name) or _METADATA_SNAPSHOT.fullmatch(path.name) or path.name in _READERS)
    )


def partitions_of(directory: Path) -> list[Path]:
    """The partition directories in a log directory, by topic and number."""
    found = [path for path in directory.iterdir() if path.is_dir() and is_partition(path)]
    return sorted(found, key=_topic_and_number)


def _topic_and_number(path: Path) -> tuple[str, int, str]:
    match = _PARTITION.fullmatch(path.name)
    return (match[1], int(match[2]), path.name) if match else (path.name, -1, "")


def check_together(reports: list[Report]) -> Iterator[tuple[Report, str]]:
    """What is wrong between the files of one partition, after each was read."""
    segments = [report for report in reports if report.kind == "segment"]
    for before, after in itertools.pairwise(segments):
        end, start = before.facts.get("end_offset"), after.facts.get("start_offset")
        if isinstance(end, int) and isinstance(start, int) and end > start:
            yield after, f"begins at offset {start}, the segment before it ends at {end}"
    logs = {report.path.stem for report in segments}
    for report in reports:
        if report.kind in ("offset index", "time index", "transaction index") and report.path.stem not in logs:
            yield report, "there is no segment that this index is of"
