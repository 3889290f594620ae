"""What commands print: aligned tables and numbers for people, JSON for programs, progress where a person waits."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Final, TextIO, final

if TYPE_CHECKING:
    from typing import Self

_REDRAW_S: Final = 0.1
_BAR_COLUMNS: Final = 24


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as their widest cell; those of numbers only are set to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    right = [
        any(row[column] != "-" for row in cells) and all(_is_number(row[column]) for row in cells)
        for column in range(len(headings))
    ]
    widths = [max(len(row[column]) for row in [list(headings), *cells]) for column in range(len(headings))]
    lines = [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        for row in [list(headings), *cells]
    ]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def number(value: int) -> str:
    return f"{value:,}"


def size(count: int) -> str:
    """Bytes as a person says them: `0 B`, `1.5 KiB`."""
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"


def timestamp(milliseconds: int) -> str:
    """A record's time in ISO 8601 of UTC; `-` for none, the bare number where no calendar reaches."""
    if milliseconds == -1:
        return "-"
    try:
        moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return str(milliseconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def json_line(value: object) -> str:
    """One line of JSON; bytes become text where they are UTF-8, else `{"base64": …}`."""
    import json

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_json) + "\n"


def _json(value: object) -> object:
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            import base64

            return {"base64": base64.b64encode(value).decode("ascii")}
    raise TypeError(f"{type(value).__name__} has no JSON")


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)


def _is_number(cell: str) -> bool:
    return cell.lstrip("-").replace(",", "").replace(".", "", 1).isdigit() or cell == "-"


@final
class Progress:
    """A bar on standard error, where that is a terminal; else nothing. Use as a context manager."""

    def __init__(self, label: str, total: int | None, unit: str, stream: TextIO | None = None) -> None:
        self._label = label
        self._total = total
        self._unit = unit
        self._stream = sys.stderr if stream is None else stream
        self._shown = self._stream.isatty()
        self._done = 0
        self._started = self._drawn = time.monotonic()

    def add(self, count: int) -> None:
        self._done += count
        if self._shown and (now := time.monotonic()) - self._drawn >= _REDRAW_S:
            self._drawn = now
            self._stream.write(f"\r{self._line(now)}\x1b[K")
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown and self._drawn != self._started:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _line(self, now: float) -> str:
        done = size(self._done) if self._unit == "B" else f"{number(self._done)} {self._unit}"
        rate = self._done / max(now - self._started, 1e-9)
        speed = f"{size(int(rate))}/s" if self._unit == "B" else f"{number(int(rate))}/s"
        if not self._total:
            return f"{self._label}  {done}  {speed}"
        share = min(self._done / self._total, 1.0)
        bar = "#" * int(share * _BAR_COLUMNS)
        return f"{self._label}  [{bar:<{_BAR_COLUMNS}}] {share:4.0%}  {done}  {speed}"
