"""The small text files of a data directory: checkpoints, identities, the vote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ottla.cli.inspection.report import Report, Row
from ottla.config.definition import ConfigError
from ottla.config.properties import parse_properties
from ottla.ids import uuid_from_text

_TEXT_BYTES_MAX: Final = 256 << 20


def partition_checkpoint(path: Path) -> Report:
    """`topic partition offset` of each log."""
    report = Report(path, "checkpoint", ("topic", "partition", "offset"))
    report.rows = _checkpoint_rows(report, 3)
    return report


def leader_epochs(path: Path) -> Report:
    """`epoch startOffset` of each leader epoch."""
    report = Report(path, "leader epochs", ("epoch", "start"))
    report.rows = _growing(report)
    return report


def _growing(report: Report) -> Iterator[Row]:
    last: tuple[int, int] | None = None
    for row in _checkpoint_rows(report, 2):
        epoch, start = row
        assert isinstance(epoch, int)
        assert isinstance(start, int)
        if last is not None and (epoch <= last[0] or start < last[1]):
            report.problem(f"epochs do not grow: epoch {epoch} from {start} after epoch {last[0]} from {last[1]}")
        last = (epoch, start)
        yield row


def _checkpoint_rows(report: Report, columns: int) -> Iterator[Row]:
    text = _text(report)
    lines = text.splitlines() if text else []
    count = 0
    if lines:
        if lines[0].strip() != "0":
            report.problem(f"line 1: version {lines[0].strip()!r}, 0 is known")
            return
        announced = lines[1].strip() if len(lines) > 1 else ""
        if announced != str(len(lines) - 2):
            report.problem(f"line 2: {announced!r} entries are announced, there are {max(len(lines) - 2, 0)}")
        for number, line in enumerate(lines[2:], start=3):
            parts = line.split()
            if len(parts) != columns or not all(part.lstrip("-").isdecimal() for part in parts[columns - 2 :]):
                report.problem(f"line {number}: {line!r} is no entry")
                continue
            count += 1
            yield (*parts[: columns - 2], *(int(part) for part in parts[columns - 2 :]))
    report.facts["entries"] = count


def meta_properties(path: Path) -> Report:
    report = Report(path, "meta.properties")
    try:
        found = {setting.name: setting.text for setting in parse_properties(_text(report), path.name)}
    except ConfigError as error:
        report.problem(str(error))
        return report
    report.facts.update(found)
    for name in ("version", "cluster.id", "node.id"):
        if name not in found:
            report.problem(f"{name} is missing")
    if found.get("version") not in (None, "1"):
        report.problem(f"version {found['version']}, 1 is known")
    _check_uuid(report, "directory.id", found.get("directory.id"))
    return report


def partition_metadata(path: Path) -> Report:
    report = Report(path, "partition metadata")
    lines = [line.partition(": ") for line in _text(report).splitlines() if line]
    found = {name: value for name, _, value in lines}
    report.facts.update(found)
    if found.get("version") != "0":
        report.problem(f"version {found.get('version')!r}, 0 is known")
    _check_uuid(report, "topic_id", found.get("topic_id", ""))
    return report


def quorum_state(path: Path) -> Report:
    return _json_object(Report(path, "quorum state"), ("leaderId", "leaderEpoch", "votedId", "data_version"))


def clean_shutdown(path: Path) -> Report:
    report = Report(path, "clean shutdown")
    return _json_object(report, ()) if path.stat().st_size else report


def _json_object(report: Report, needed: tuple[str, ...]) -> Report:
    text = _text(report)
    try:
        found = json.loads(text)
    except ValueError as error:
        report.problem(f"no JSON: {error}")
        return report
    if not isinstance(found, dict):
        report.problem("no JSON object")
        return report
    report.facts.update(found)
    for name in needed:
        if name not in found:
            report.problem(f"{name} is missing")
    return report


def _check_uuid(report: Report, name: str, text: str | None) -> None:
    if text is None:
        return
    try:
        uuid_from_text(text)
    except ValueError:
        report.problem(f"{name} {text!r} is no uuid")


def _text(report: Report) -> str:
    size = report.path.stat().st_size
    if size > _TEXT_BYTES_MAX:
        report.problem(f"{size} bytes are too many for a {report.kind}")
        return ""
    try:
        return report.path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        report.problem("no UTF-8 text", error.start)
        return ""
