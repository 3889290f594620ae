"""Restart with many committed offsets, small; ``python -m tests.faults.many_offsets`` by hand has a million."""

from pathlib import Path
from typing import Final

from tests.faults.many_offsets import run

GROUPS: Final = 500
PARTITIONS: Final = 100
WAITED_MS_MAX: Final = 2_000.0
"""Generous: a loaded machine shall not fail the test, a load that keeps others from being answered shall not pass."""


def test_others_are_served_while_offsets_are_loaded(tmp_path: Path) -> None:
    result = run(tmp_path / "data", GROUPS, PARTITIONS, {"offsets.topic.num.partitions": 2})

    assert result.reported_records == GROUPS * PARTITIONS
    assert len(result.reported_ms) == 2
    for name, waited_ms in result.waited_ms.items():
        assert len(waited_ms) > 2, "nobody asked meanwhile"
        assert waited_ms[-1] < WAITED_MS_MAX, name
