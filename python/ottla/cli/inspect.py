"""Decode files of a data directory, or whole directories, and say what is wrong in them.

Segments are shown by batch, with -r by record; records of internal topics are decoded. Of a directory its files or its
partitions are summed up, with -r the records of its segments shown. The exit code is 1 when something is wrong.
"""

from __future__ import annotations

import itertools
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, final

from ottla.cli import output
from ottla.cli.errors import DONE, FAILED, CommandError, UsageError
from ottla.cli.inspection.directory import (
    check_together,
    files_of,
    inspect_file,
    is_partition,
    partitions_of,
    topic_of,
)
from ottla.cli.inspection.records import has_meaning
from ottla.cli.inspection.report import Problem, Report, Row

_ALIGNED_ROWS: Final = 500
"""Rows that are looked at to find the width of the columns."""
_CELL_CHARACTERS: Final = 72


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE|DIR")
    parser.add_argument("-r", "--records", action="store_true", help="records instead of batches")
    parser.add_argument(
        "-n", "--limit", type=int, metavar="N", help="show at most N rows of each file; all are checked"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per file, row and problem")


def run(args: Namespace) -> int:
    """Blocking. Raises `CommandError`."""
    if args.limit is not None and args.limit < 0:
        raise UsageError("--limit must not be negative")
    printer = _Printer(args)
    try:
        for path in args.paths:
            _inspect(path, args, printer)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(f"cannot read {error.filename}: {error.strerror}") from None
    printer.problems()
    return FAILED if printer.found else DONE


def _inspect(path: Path, args: Namespace, printer: _Printer) -> None:
    if not path.exists():
        raise CommandError(f"there is no {path}")
    if path.is_file():
        report = inspect_file(path, with_records=args.records)
        if report is None:
            raise CommandError(f"{path}: no file of a data directory has such a name")
        printer.report(report)
        return
    if args.records:
        for segment in _segments(path):
            report = inspect_file(segment, with_records=True)
            assert report is not None
            printer.report(report)
    elif is_partition(path):
        printer.files(path, _partition(path, printer))
    else:
        printer.directory(path, printer)


def _segments(path: Path) -> list[Path]:
    directories = [path] if is_partition(path) else partitions_of(path)
    return [file for directory in directories for file in files_of(directory) if file.suffix in (".log", ".checkpoint")]


def _partition(directory: Path, printer: _Printer) -> list[Report]:
    """Reads every file of a partition; its records one by one where they have a meaning that could be wrong."""
    decoded = has_meaning(topic_of(directory))
    found = [inspect_file(file, with_records=decoded) for file in files_of(directory)]
    reports = [report.finish() for report in found if report is not None]
    for report, message in check_together(reports):
        report.problem(message)
    for report in reports:
        printer.found += report.problems
    return reports


@final
class _Printer:
    """Writes reports for people or as JSON, and keeps the problems for the end."""

    def __init__(self, args: Namespace) -> None:
        self.found: list[Problem] = []
        self._json = args.json
        self._limit: int | None = args.limit
        self._separator = ""

    def report(self, report: Report) -> None:
        rows = report.rows if self._limit is None else itertools.islice(report.rows, self._limit)
        if self._json:
            for row in rows:
                facts = dict(zip(report.headings, row, strict=True))
                sys.stdout.write(output.json_line({"file": str(report.path), "kind": report.kind, **facts}))
        else:
            self._head(f"{report.path}: {report.kind}")
            _write_table(report.headings, rows)
        hidden = sum(1 for _ in report.rows)
        self.found += report.problems
        if self._json:
            sys.stdout.write(output.json_line({"file": str(report.path), "kind": report.kind, "facts": report.facts}))
            return
        if hidden:
            sys.stdout.write(f"... {output.number(hidden)} more\n")
        if report.facts:
            sys.stdout.write(f"{_facts(report)}\n")

    def files(self, path: Path, reports: list[Report]) -> None:
        """The files of one partition, a line each."""
        if self._json:
            for report in reports:
                sys.stdout.write(
                    output.json_line({"file": str(report.path), "kind": report.kind, "facts": report.facts})
                )
            return
        self._head(str(path))
        rows = [(r.path.name, r.kind, _facts(r), len(r.problems) or None) for r in reports]
        sys.stdout.write(output.table(("FILE", "KIND", "HOLDS", "PROBLEMS"), rows))

    def directory(self, path: Path, printer: _Printer) -> None:
        """A log directory: its own files, then its partitions, a line each."""
        partitions = partitions_of(path)
        own = _partition(path, printer)
        if not partitions and not own:
            raise CommandError(f"{path} is no data directory: it has neither partitions nor meta.properties")
        if own:
            self.files(path, own)
        rows: list[Row] = []
        for directory in partitions:
            reports = _partition(directory, printer)
            rows.append(_sum_up(directory, reports))
        headings = ("partition", "segments", "bytes", "start", "end", "records", "producers", "problems")
        if self._json:
            for row in rows:
                sys.stdout.write(output.json_line(dict(zip(headings, row, strict=True))))
        elif rows:
            self._head("partitions")
            shown = [(*row[:2], output.size(_whole(row[2])), *row[3:-1], row[-1] or None) for row in rows]
            sys.stdout.write(output.table([heading.upper() for heading in headings], shown))

    def problems(self) -> None:
        if self._json:
            for problem in self.found:
                facts = {"problem": problem.message, "file": str(problem.path), "position": problem.position}
                sys.stdout.write(output.json_line(facts))
        elif self.found:
            sys.stdout.flush()
            count = f"{len(self.found)} problem{'' if len(self.found) == 1 else 's'}"
            sys.stderr.write("".join(f"{problem}\n" for problem in self.found) + f"{count} found\n")

    def _head(self, words: str) -> None:
        sys.stdout.write(f"{self._separator}{words}\n")
        self._separator = "\n"


def _sum_up(directory: Path, reports: list[Report]) -> Row:
    segments = [report for report in reports if report.kind == "segment"]
    facts = [report.facts for report in segments]
    producers = [report.facts.get("producers") for report in reports if report.kind == "producer snapshot"]
    return (
        directory.name,
        len(segments),
        sum(_whole(fact.get("bytes")) for fact in facts),
        _whole(facts[0].get("start_offset")) if facts else None,
        _whole(facts[-1].get("end_offset")) if facts else None,
        sum(_whole(fact.get("records")) for fact in facts),
        producers[-1] if producers else None,
        sum(len(report.problems) for report in reports),
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _write_table(headings: tuple[str, ...], rows: Iterable[Row]) -> None:
    """As the rows come: the columns are as wide as the first ones need."""
    shown = _shown(headings, rows)
    first = list(itertools.islice(shown, _ALIGNED_ROWS))
    if not first:
        return
    text = output.table([heading.upper() for heading in headings], first)
    sys.stdout.write(text)
    while batch := list(itertools.islice(shown, _ALIGNED_ROWS)):
        sys.stdout.write(output.table([heading.upper() for heading in headings], batch).split("\n", 1)[1])


def _shown(headings: tuple[str, ...], rows: Iterable[Row]) -> Iterator[tuple[object, ...]]:
    times = [heading.endswith("time") for heading in headings]
    for row in rows:
        yield tuple(
            output.timestamp(cell) if is_time and isinstance(cell, int) else _cell(cell)
            for cell, is_time in zip(row, times, strict=True)
        )


def _cell(cell: object) -> object:
    if isinstance(cell, dict):
        words = " ".join(f"{name}={_inner(value)}" for name, value in cell.items()) or "(defaults)"
    elif isinstance(cell, bytes):
        words = _inner(cell)
    elif isinstance(cell, list):
        words = ",".join(map(_inner, cell)) or "-"
    else:
        return cell
    return words if len(words) <= _CELL_CHARACTERS else words[: _CELL_CHARACTERS - 1] + "…"


def _inner(value: object) -> str:
    if isinstance(value, bytes):
        text = value[: 2 * _CELL_CHARACTERS].decode("utf-8", "replace")
        return text if text.isprintable() and "\ufffd" not in text else value[:_CELL_CHARACTERS].hex()
    if isinstance(value, list):
        return "[" + ",".join(map(_inner, value)) + "]"
    if isinstance(value, dict):
        return "{" + " ".join(f"{name}={_inner(inner)}" for name, inner in value.items()) + "}"
    return str(value)


def _facts(report: Report) -> str:
    return ", ".join(f"{name} {value}" for name, value in report.facts.items())
