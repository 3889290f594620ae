"""The kill test of transactions as CI runs it; ``python -m tests.faults.kill_transactions --minutes 10`` by hand."""

from pathlib import Path
from typing import Final

from tests.faults.kill_transactions import KillTransactionsTest
from tests.faults.trial import times

ROUNDS: Final = 5
SEED: Final = 50_000


def test_each_input_has_one_output_after_kill_9(tmp_path: Path) -> None:
    test = KillTransactionsTest(tmp_path / "data", SEED)

    rounds = test.run(times(ROUNDS))

    assert sum(done.commits for done in rounds) > 20 * ROUNDS, "the load was no load"
    assert sum(done.aborts for done in rounds) > 2 * ROUNDS, "nobody aborted"
    assert sum(done.losses for done in rounds) > ROUNDS, "nobody was shut out"
