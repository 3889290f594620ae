"""Scripts of requests with their full transcripts, which equal those of Apache Kafka 4.4.0.

To look again: ``python -m tests.support.api_scripts --against HOST:PORT tests/scripts/controller/*.txt`` with a fresh
broker each.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.support.api_scripts import play_in_memory
from tests.support.scripts import parse, unparse

SCRIPTS = sorted((Path(__file__).parent.parent / "scripts" / "controller").glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    text = path.read_text()

    assert len(parse(text)) > 5
    assert unparse(parse(text)) == text
    assert trio.run(play_in_memory, text) == text
