"""Scripts of committed offsets with their full transcripts.

After a change that is wanted: ``python -m tests.support.offset_scripts --rewrite tests/scripts/groups/offsets/*.txt``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.offset_scripts import play
from tests.support.scripts import parse, unparse

SCRIPTS = sorted((Path(__file__).parents[2] / "scripts" / "groups" / "offsets").glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    text = path.read_text()

    assert len(parse(text)) > 4
    assert unparse(parse(text)) == text
    assert play(text) == text
