"""The files beside a segment that are made of entries of one size: offset, time and transaction index, and the
snapshot of producers. Held against the segment where it is there."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from ottla._core import crc32c
from ottla.cli.inspection.report import Report, Row

_OFFSET_ENTRY: Final = struct.Struct(">ii")
_TIME_ENTRY: Final = struct.Struct(">qi")
_ABORTED_ENTRY: Final = struct.Struct(">hqqqq")
_SNAPSHOT_HEAD: Final = struct.Struct(">hIi")
_PRODUCER_ENTRY: Final = struct.Struct(">qhiqiqiq")
_BATCH_HEAD: Final = struct.Struct(">qi11xi")
"""Base offset, length, last offset delta: of the first 27 bytes of a batch."""
SMALL_FILE_BYTES_MAX: Final = 1 << 30


def offset_index(path: Path) -> Report:
    report = Report(path, "offset index", ("offset", "position"))
    report.rows = _offset_rows(report, int(path.name[:20]))
    return report


def _offset_rows(report: Report, base: int) -> Iterator[Row]:
    log = report.path.with_suffix(".log")
    last = (-1, -1)
    count = 0
    entries = _entries(report, _OFFSET_ENTRY)
    with log.open("rb") if log.exists() else _NoFile() as segment:
        for at, (relative, position) in entries:
            count += 1
            if relative <= last[0] or position <= last[1]:
                report.problem(
                    f"entry {count - 1} does not grow: {relative}, {position} after {last[0]}, {last[1]}", at
                )
            last = (max(relative, last[0]), max(position, last[1]))
            if segment is not None:
                _check_against(report, at, segment, base + relative, position)
            yield base + relative, position
    report.facts.update(entries=count)


def _check_against(report: Report, at: int, segment: BinaryIO, offset: int, position: int) -> None:
    """An entry names a batch by the byte it begins at and its last offset."""
    segment.seek(max(position, 0))
    head = segment.read(_BATCH_HEAD.size)
    if position < 0 or len(head) < _BATCH_HEAD.size:
        report.problem(f"offset {offset} is said to be at byte {position}, where the segment has nothing", at)
        return
    base, _, delta = _BATCH_HEAD.unpack(head)
    if base + delta != offset:
        found = f"{base} to {base + delta}"
        report.problem(f"offset {offset} is said to be at byte {position}, where a batch of {found} is", at)


def time_index(path: Path) -> Report:
    report = Report(path, "time index", ("time", "offset"))
    report.rows = _time_rows(report, int(path.name[:20]))
    return report


def _time_rows(report: Report, base: int) -> Iterator[Row]:
    last = (-(1 << 63), -1)
    count = 0
    for at, (timestamp, relative) in _entries(report, _TIME_ENTRY):
        count += 1
        if timestamp < last[0] or relative < last[1]:
            report.problem(f"entry {count - 1} goes back: {timestamp}, {relative} after {last[0]}, {last[1]}", at)
        last = (max(timestamp, last[0]), max(relative, last[1]))
        yield timestamp, base + relative
    report.facts.update(entries=count)


def transaction_index(path: Path) -> Report:
    report = Report(path, "transaction index", ("producer", "first", "last", "last_stable"))
    report.rows = _transaction_rows(report, int(path.name[:20]))
    return report


def _transaction_rows(report: Report, base: int) -> Iterator[Row]:
    last_offset = base - 1
    count = 0
    for at, (version, producer, first, last, stable) in _entries(report, _ABORTED_ENTRY):
        if version != 0:
            report.problem(f"entry {count} has version {version}, 0 is known", at)
            break
        if last <= last_offset or first > last:
            report.problem(f"entry {count} does not grow: {first} to {last} after {last_offset}", at)
        last_offset = max(last, last_offset)
        count += 1
        yield producer, first, last, stable
    report.facts.update(entries=count)


def producer_snapshot(path: Path) -> Report:
    headings = ("producer", "epoch", "sequence", "last", "delta", "last_time", "coordinator_epoch", "transaction")
    report = Report(path, "producer snapshot", headings)
    report.rows = _snapshot_rows(report)
    return report


def _snapshot_rows(report: Report) -> Iterator[Row]:
    data = _read(report)
    if len(data) < _SNAPSHOT_HEAD.size:
        report.problem(f"{len(data)} bytes are too few for a producer snapshot", 0)
        return
    version, stored, count = _SNAPSHOT_HEAD.unpack_from(data)
    if version != 1:
        report.problem(f"version {version} of a producer snapshot, 1 is known", 0)
        return
    computed = crc32c(data[6:])
    if computed != stored:
        report.problem(f"wrong checksum: {stored:#010x} is stored, {computed:#010x} is computed", 2)
    left = len(data) - _SNAPSHOT_HEAD.size
    if count < 0 or count * _PRODUCER_ENTRY.size != left:
        report.problem(f"{count} producers of {_PRODUCER_ENTRY.size} bytes are announced in {left} bytes", 6)
    known = min(max(count, 0), left // _PRODUCER_ENTRY.size)
    for index in range(known):
        at = _SNAPSHOT_HEAD.size + index * _PRODUCER_ENTRY.size
        producer, epoch, sequence, last, delta, time_ms, coordinator, first = _PRODUCER_ENTRY.unpack_from(data, at)
        yield producer, epoch, sequence, last, delta, time_ms, coordinator, None if first < 0 else first
    report.facts.update(producers=known)


def _entries(report: Report, entry: struct.Struct) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(byte, fields) of each entry; the zeros that a file was given beforehand are left out and said."""
    data = _read(report)
    size = report.path.stat().st_size
    used = len(data.rstrip(b"\0"))
    whole = -(-used // entry.size) * entry.size
    if size % entry.size:
        report.problem(f"{size} bytes are not a multiple of {entry.size}", size - size % entry.size)
    if whole + entry.size < size:
        report.facts["preallocated_bytes"] = size - whole
    else:
        # One entry of zeros may be one: the first record of a segment, at time 0.
        whole = size
    data = data[:whole].ljust(whole, b"\0")
    for at in range(0, whole - entry.size + 1, entry.size):
        yield at, entry.unpack_from(data, at)


def _read(report: Report) -> bytes:
    size = report.path.stat().st_size
    report.facts["bytes"] = size
    if size > SMALL_FILE_BYTES_MAX:
        report.problem(f"{size} bytes are too many for a {report.kind}")
        return b""
    with report.path.open("rb") as file:
        return file.read(_written(file, size))


def _written(file: BinaryIO, size: int) -> int:
    """Where the last written part of a file ends: an index that is given its full size beforehand is mostly a hole."""
    end = 0
    try:
        while end < size:
            data = os.lseek(file.fileno(), end, os.SEEK_DATA)
            end = os.lseek(file.fileno(), data, os.SEEK_HOLE)
    except (OSError, AttributeError) as error:
        # No data behind `end`; or a system that does not say, where everything counts as written.
        end = end if getattr(error, "errno", None) == errno.ENXIO else size
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    return end


class _NoFile:
    """Stands in for a segment that is not there."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None
