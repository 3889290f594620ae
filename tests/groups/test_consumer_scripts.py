"""Scenarios of consumer groups, and of groups that change their protocol, in text. Their answers equal those of Apache
Kafka 4.4.0, but where a comment says why not.

To look again: ``python -m tests.groups.consumer_scripts --against HOST:PORT tests/scripts/groups/consumer/*.txt``; see
``consumer_against`` for the broker's settings.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.groups.consumer_scripts import play
from tests.support.scripts import parse, unparse

GROUPS = Path(__file__).parent.parent / "scripts" / "groups"
SCRIPTS = sorted([*(GROUPS / "consumer").glob("*.txt"), *(GROUPS / "migration").glob("*.txt")])


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) > 25


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_transcript(path: Path) -> None:
    text = path.read_text()

    assert text.startswith("# "), "a scenario says what it shows"
    assert unparse(parse(text)) == text
    assert play(text) == text
