"""Scripts of requests about transactions with their full transcripts, which equal those of Apache Kafka 4.4.0 but for
what is below ``records:``.

To look again: ``python -m tests.support.api_scripts --against HOST:PORT tests/scripts/transactions/api/NAME.txt`` with
a fresh broker for each that has ``SETTINGS``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
import trio

from tests.support.api_scripts import play_in_memory
from tests.support.scripts import parse, unparse

SCRIPTS: Final = sorted((Path(__file__).parent.parent / "scripts" / "transactions" / "api").glob("*.txt"))
SETTINGS: Final = {
    "offsets.topic.num.partitions": "2",
    "transaction.state.log.num.partitions": "2",
    "group.initial.rebalance.delay.ms": "0",
}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    text = path.read_text()

    assert len(parse(text)) > 5
    assert unparse(parse(text)) == text
    assert trio.run(play_in_memory, text, SETTINGS) == text
