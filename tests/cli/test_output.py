from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.cli import output


def test_columns_are_aligned_and_numbers_to_the_right() -> None:
    text = output.table(("NAME", "COUNT", "NOTE"), [("a", 1, None), ("longer", 1000, "x")])
    assert text == "NAME    COUNT  NOTE\na           1  -\nlonger   1000  x\n"


@given(st.lists(st.tuples(st.text("ab ", max_size=5), st.integers())))
def test_lines_never_end_in_space(rows: list[tuple[str, int]]) -> None:
    lines = output.table(("A", "B"), rows).splitlines()
    assert len(lines) == len(rows) + 1
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (1 << 50, "1024.0 TiB")],
)
def test_sizes(count: int, words: str) -> None:
    assert output.size(count) == words


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(-1, "-"), (0, "1970-01-01T00:00:00.000Z"), (-2, "1969-12-31T23:59:59.998Z"), (2**63 - 1, str(2**63 - 1))],
)
def test_times(milliseconds: int, words: str) -> None:
    assert output.timestamp(milliseconds) == words


@given(st.binary())
def test_bytes_have_json(data: bytes) -> None:
    value = json.loads(output.json_line({"value": data}))["value"]
    assert isinstance(value, str | dict)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("ottla.cli.output.time.monotonic", lambda: now)
    for stream in (_Terminal(), io.StringIO()):
        with output.Progress("topic", 200, "records", stream) as progress:
            now += 1
            progress.add(100)
            shown = stream.getvalue()
        if stream.isatty():
            assert shown == "\rtopic  [############            ]  50%  100 records  100/s\x1b[K"
            assert stream.getvalue().endswith("\r\x1b[K")
        else:
            assert stream.getvalue() == ""
