"""The kill test as CI runs it; ``python -m tests.faults.kill --rounds 500`` by hand."""

from pathlib import Path
from typing import Final

from tests.faults.kill import KillTest
from tests.faults.trial import times

ROUNDS: Final = 25
SEED: Final = 20_000
READY_S_MAX: Final = 60.0
"""Generous: a loaded machine shall not fail the test, a start that hangs shall."""


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    rounds = KillTest(tmp_path / "data", SEED).run(times(ROUNDS))

    assert sum(done.acknowledged for done in rounds) > 100 * ROUNDS, "the load was no load"
    assert sum(done.unanswered for done in rounds) > ROUNDS, "nothing was in flight when the broker died"
    assert sum(len(done.damaged) for done in rounds) > ROUNDS, "nothing was damaged"
    assert max(done.ready_s for done in rounds) < READY_S_MAX
