"""Scenarios of transactional ids, in text. Their answers and records equal those of Apache Kafka 4.4.0.

To look again: ``python -m tests.transactions.scripts --against HOST:PORT tests/scripts/transactions/*.txt``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.scripts import parse, unparse
from tests.transactions.scripts import play

SCRIPTS = sorted((Path(__file__).parents[1] / "scripts" / "transactions").glob("*.txt"))


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) > 40


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    text = path.read_text()

    assert text.startswith("# "), "a scenario says what it shows"
    assert unparse(parse(text)) == text
    assert play(text) == text
