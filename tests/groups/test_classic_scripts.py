"""Scenarios of classic groups, in text. Their answers equal those of Apache Kafka 4.4.0.

To look again: ``python -m tests.groups.classic_scripts --against HOST:PORT tests/scripts/groups/classic/*.txt``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.groups.classic_scripts import play
from tests.support.scripts import parse, unparse

SCRIPTS = sorted((Path(__file__).parent.parent / "scripts" / "groups" / "classic").glob("*.txt"))


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) > 30


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    text = path.read_text()

    assert text.startswith("# "), "a scenario says what it shows"
    assert unparse(parse(text)) == text
    assert play(text) == text
