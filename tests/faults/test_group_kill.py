"""The kill test of groups as CI runs it; ``python -m tests.faults.group_kill --rounds 50`` by hand."""

from pathlib import Path
from typing import Final

from tests.faults.group_kill import GroupKillTest

ROUNDS: Final = 8
SEED: Final = 20_000


def test_no_acknowledged_commit_is_lost_by_kill_9(tmp_path: Path) -> None:
    commits, mixed, generations = GroupKillTest(tmp_path / "data", SEED).run(ROUNDS)

    assert commits > 100 * ROUNDS, "the load was no load"
    assert mixed > ROUNDS, "the group of both protocols did nothing"
    assert generations > ROUNDS, "nobody rebalanced"
