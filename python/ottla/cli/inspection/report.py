"""The shape of what is found in a file: a few facts, rows of one shape, problems."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias, final

Cell: TypeAlias = object
"""A number, text, bytes, None, a bool, a list or mapping of those; under a heading that ends in `time` milliseconds."""
Row: TypeAlias = tuple[Cell, ...]


@final
class Problem(NamedTuple):
    """Something is wrong."""

    path: Path
    position: int | None
    """The byte it is at; of text files none."""
    message: str

    def __str__(self) -> str:
        where = "" if self.position is None else f", byte {self.position}"
        return f"{self.path}{where}: {self.message}"


@final
class Report:
    """One file, read. `rows` reads the file as it is iterated; `facts` and `problems` are complete only then."""

    def __init__(self, path: Path, kind: str, headings: tuple[str, ...] = ()) -> None:
        self.path = path
        self.kind = kind
        self.headings = headings
        self.facts: dict[str, Cell] = {}
        self.problems: list[Problem] = []
        self.rows: Iterator[Row] = iter(())

    def problem(self, message: str, position: int | None = None) -> None:
        self.problems.append(Problem(self.path, position, message))

    def finish(self) -> Report:
        """Reads to the end without keeping the rows."""
        for _ in self.rows:
            pass
        return self
