"""The kill test of groups as CI runs it; ``python -m tests.faults.kill_groups --rounds 50`` by hand."""

from pathlib import Path
from typing import Final

from tests.faults.kill_groups import GROUP, MIXED, KillGroupsTest
from tests.faults.trial import times

ROUNDS: Final = 6
SEED: Final = 20_000


def test_no_acknowledged_commit_is_lost_by_kill_9(tmp_path: Path) -> None:
    test = KillGroupsTest(tmp_path / "data", SEED)

    rounds = test.run(times(ROUNDS))

    assert sum(done.commits for done in rounds) > 100 * ROUNDS, "the load was no load"
    assert sum(done.generations for done in rounds) > ROUNDS, "nobody rebalanced"
    assert test.commits_answered(GROUP) > ROUNDS, "the classic group did nothing"
    assert test.commits_answered(MIXED) > ROUNDS, "the group of both protocols did nothing"
