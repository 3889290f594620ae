"""kill -9 under a read-process-write load: each input has exactly one output, no aborted value is read, and nothing is
left open.

    python -m tests.faults.kill_transactions --minutes 10 [--rounds N] [--seed S] [--dir D]

Prior art: Kafka's ``TransactionsTest`` and its system test of transactions with bouncing brokers. Ours is one process
on one directory. Copiers, two of them with each transactional id, read the partitions of one topic, write to those of
another and commit how far they have read, in transactions of both protocols; they commit, abort, fall silent and shut
each other out, until the broker dies. All choices come from the seed; the moment of death is a matter of the machine.

Of each round is checked, by a reader of committed records that has read all the while: no value of an attempt that was
answered to be aborted is there, none is there twice, and the last stable offset does not go back. After the restart
every id is taken over, which ends what was open: then the last stable offset equals the end on every partition, each
input below what its group has committed has one output, each above none, and all attempts that were answered to be
committed are there.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from ottla.errors import ErrorCode
from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from tests.faults.transaction_load import (
    AGAIN,
    NOT_NOW,
    OUTPUT_PARTITIONS,
    SOURCE,
    TARGET,
    TIMEOUT_MS,
    Copier,
    Outcomes,
    read_committed,
)
from tests.faults.trial import More, Report, Trial, arguments, ended, main
from tests.support.raw import Connection, batch
from tests.support.raw_admin import create_topic
from tests.support.raw_member import committed_offsets, wait_coordinated

COPIERS: Final = 4
TWINS: Final = 2
LOAD_S: Final = (0.1, 2.5)
DIES_STARTING: Final = 0.2
INPUTS: Final = 2_000
"""So many more in each partition when fewer are left."""
BACK_S_MAX: Final = 20.0
PAUSE_S: Final = 0.01
SETTINGS: Final = {
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
}


@final
@dataclass(slots=True)
class Round:
    """How one round went."""

    number: int
    clean: bool = False
    died_starting: bool = False
    commits: int = 0
    aborts: int = 0
    losses: int = 0
    copied: int = 0
    unheard: int = 0
    ready_s: float = 0.0

    def __str__(self) -> str:
        end = ended(clean=self.clean, died_starting=self.died_starting)
        return (
            f"round {self.number}: {end}; {self.commits:,} committed, {self.aborts:,} aborted, {self.losses} times "
            f"shut out; all ended {self.ready_s:.2f} s after the start, {self.copied:,} copied in all, "
            f"{self.unheard} attempts committed unheard"
        )


@final
class Checker:
    """A reader of committed records, over all lives of the broker."""

    def __init__(self, outcomes: Outcomes) -> None:
        self.outputs: dict[tuple[int, int], str] = {}
        """The attempt that copied it, by source partition and offset."""
        self.attempts: set[str] = set()
        self._outcomes = outcomes
        self._positions = dict.fromkeys(range(OUTPUT_PARTITIONS), 0)
        self._stable = dict.fromkeys(range(OUTPUT_PARTITIONS), 0)

    def read(self, connection: Connection) -> bool:
        """Reads on; whether there was something."""
        found_any = False
        for partition in range(OUTPUT_PARTITIONS):
            found = read_committed(connection, TARGET, partition, self._positions[partition])
            if found.last_stable_offset == NOT_NOW:
                continue
            assert found.last_stable_offset >= self._stable[partition], (
                f"{TARGET}-{partition}: the last stable offset went back from {self._stable[partition]} to "
                f"{found.last_stable_offset}"
            )
            assert found.next_offset <= found.last_stable_offset, f"{TARGET}-{partition}: beyond the last stable offset"
            self._stable[partition] = found.last_stable_offset
            found_any |= found.next_offset > self._positions[partition]
            self._positions[partition] = found.next_offset
            for value in found.values:
                self._note(value.decode(), partition)
        return found_any

    def _note(self, value: str, partition: int) -> None:
        source, offset, attempt = value.split(":")
        assert attempt not in self._outcomes.aborted, f"{TARGET}-{partition}: {value} was aborted"
        before = self.outputs.setdefault((int(source), int(offset)), attempt)
        assert before == attempt, f"{SOURCE}-{source} at {offset} was copied by {before} and by {attempt}"
        self.attempts.add(attempt)

    def run(self, address: tuple[str, int], stopped: threading.Event) -> None:
        """Reads while others write."""
        with Connection(address, "checker") as connection:
            while not stopped.is_set():
                if not self.read(connection):
                    stopped.wait(PAUSE_S)

    def positions(self) -> dict[int, int]:
        return dict(self._positions)


@final
class KillTransactionsTest:
    """The broker, its clients, and what is known of both. Use ``run``."""

    def __init__(self, directory: Path, seed: int, report: Report = print) -> None:
        self._trial = Trial(directory, seed, SETTINGS, report)
        self._random = self._trial.random
        self._outcomes = Outcomes()
        self._checker = Checker(self._outcomes)
        self._inputs = 0
        self._copiers = [
            Copier(number, twin, self._outcomes, seed) for number in range(COPIERS) for twin in range(TWINS)
        ]

    def run(self, more: More) -> list[Round]:
        """Raises ``AssertionError`` that says what is wrong, with the seed."""
        with self._trial.running():
            with self._connection() as connection:
                assert create_topic(connection, SOURCE, COPIERS) == 0
                assert create_topic(connection, TARGET, OUTPUT_PARTITIONS) == 0
            return self._trial.rounds(self._round, more)

    def _connection(self) -> Connection:
        return Connection(self._trial.broker.address, "kill-transactions")

    def _counts(self) -> tuple[int, int, int]:
        return (
            sum(each.commits for each in self._copiers),
            sum(each.aborts for each in self._copiers),
            sum(each.losses for each in self._copiers),
        )

    def _round(self, number: int) -> Round:
        result = self._trial.current = Round(number)
        before = self._counts()
        with self._connection() as connection:
            self._feed(connection)
        self._load(result)
        result.commits, result.aborts, result.losses = (
            now - then for now, then in zip(self._counts(), before, strict=True)
        )
        begun = time.monotonic()
        result.died_starting, _ = self._trial.restart(DIES_STARTING)
        with self._connection() as connection:
            if self._random.random() < 0.3:
                # Nobody takes over: what is open ends by its timeout.
                self._wait_stable(connection, TIMEOUT_MS / 1000 + BACK_S_MAX)
            self._take_over(connection)
            self._wait_stable(connection, BACK_S_MAX)
            result.ready_s = time.monotonic() - begun
            while self._checker.read(connection):
                pass
            self._check(connection, result)
        return result

    # --- load -------------------------------------------------------------------------------------------------------

    def _feed(self, connection: Connection) -> None:
        """Inputs are their own offsets."""
        groups = [f"group-{number}" for number in range(COPIERS)]
        wait_coordinated(connection, *groups)
        found = committed_offsets(connection, *groups)
        done = max((max(offsets.values(), default=0) for offsets in found.values()), default=0)
        if self._inputs - done > INPUTS // 2:
            return
        values = [b"%d" % offset for offset in range(self._inputs, self._inputs + INPUTS)]
        data = tuple(PartitionProduceData(index=number, records=batch(*values)) for number in range(COPIERS))
        request = ProduceRequest(
            transactional_id=None,
            acks=-1,
            timeout_ms=30_000,
            topic_data=(TopicProduceData(name=SOURCE, partition_data=data),),
        )
        answer = connection.ask(request, 9)
        assert all(each.error_code == 0 for each in answer.responses[0].partition_responses), answer
        self._inputs += INPUTS

    def _load(self, result: Round) -> None:
        result.clean = self._trial.stops()
        clients = [*(copier.run for copier in self._copiers), self._checker.run]
        self._trial.under_load(clients, lambda stopped: stopped.wait(self._random.uniform(*LOAD_S)), clean=result.clean)

    # --- what is there ----------------------------------------------------------------------------------------------

    def _take_over(self, connection: Connection) -> None:
        ids = tuple(sorted({each.transactional_id for each in self._copiers}))
        connection.ask(FindCoordinatorRequest(coordinator_keys=ids, key_type=1), 4)
        deadline = time.monotonic() + BACK_S_MAX
        for transactional_id in ids:
            request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=TIMEOUT_MS)
            while (code := connection.ask(request, 5).error_code) != 0:
                assert code in AGAIN, f"{transactional_id}: {ErrorCode(code).name}"
                assert time.monotonic() < deadline, f"{transactional_id} is still {ErrorCode(code).name}"
                time.sleep(PAUSE_S)

    def _wait_stable(self, connection: Connection, within_s: float) -> None:
        """Until nothing is open on any partition."""
        deadline = time.monotonic() + within_s
        while (ends := self._ends(connection, 0)) != (stable := self._ends(connection, 1)):
            assert time.monotonic() < deadline, f"still open: ends {ends}, last stable offsets {stable}"
            time.sleep(PAUSE_S)

    @staticmethod
    def _ends(connection: Connection, isolation: int) -> list[int]:
        partitions = tuple(
            ListOffsetsPartition(partition_index=index, timestamp=-1) for index in range(OUTPUT_PARTITIONS)
        )
        request = ListOffsetsRequest(
            replica_id=-1, isolation_level=isolation, topics=(ListOffsetsTopic(name=TARGET, partitions=partitions),)
        )
        answers = connection.ask(request, 8).topics[0].partitions
        assert all(each.error_code == 0 for each in answers), answers
        return [each.offset for each in sorted(answers, key=lambda each: each.partition_index)]

    def _check(self, connection: Connection, result: Round) -> None:
        groups = [f"group-{number}" for number in range(COPIERS)]
        wait_coordinated(connection, *groups)
        found = committed_offsets(connection, *groups)
        outputs = self._checker.outputs
        for number in range(COPIERS):
            position = found[f"group-{number}"].get(number, 0)
            copied = {offset for source, offset in outputs if source == number}
            missing = sorted(set(range(position)) - copied)
            assert not missing, f"{SOURCE}-{number}: {position} were read, {missing[:5]} have no output"
            assert not copied - set(range(position)), (
                f"{SOURCE}-{number}: {position} were read, {sorted(copied - set(range(position)))[:5]} have an output"
            )
        lost = self._outcomes.committed - self._checker.attempts
        assert not lost, f"committed and not there: {sorted(lost)[:5]}"
        result.copied = len(outputs)
        result.unheard = len(self._checker.attempts - self._outcomes.committed)


def play(directory: Path, seed: int, more: More, report: Report) -> str:
    """What it comes to."""
    rounds = KillTransactionsTest(directory, seed, report).run(more)
    return (
        f"{len(rounds)} rounds: {sum(done.commits for done in rounds):,} transactions committed, "
        f"{sum(done.aborts for done in rounds):,} aborted, {rounds[-1].copied:,} inputs copied, each once"
    )


if __name__ == "__main__":
    sys.exit(main(arguments(__doc__, rounds=20).parse_args(), "kill-transactions", play))
