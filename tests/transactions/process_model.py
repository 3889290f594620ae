"""A producer of a history: begins, writes, commits or aborts, as clients do, and knows what it was told."""

from __future__ import annotations

from random import Random
from typing import Any, Final, NamedTuple, final

from ottla.errors import ErrorCode
from ottla.transactions.changes import Partition

__all__ = ["Add", "End", "Init", "Process", "Write"]

ASKED_AGAIN: Final = frozenset((ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS))

FORGOTTEN: Final = "!"


class Init(NamedTuple):
    pair: tuple[int, int]


class Add(NamedTuple):
    partition: Partition


class Write(NamedTuple):
    partition: Partition
    data: str


class End(NamedTuple):
    commit: bool


Step = Init | Add | Write | End


@final
class Process:
    """One process with a transactional id. ``is_new``: it speaks transaction version 2."""

    def __init__(self, name: str, transactional_id: str, is_new: bool, rng: Random) -> None:
        self.name = name
        self.transactional_id = transactional_id
        self.is_new = is_new
        self.is_alive = True
        self.paused_until_ms = 0
        self.waits_for: int | None = None
        self.pair: tuple[int, int] | None = None
        self.acknowledged: dict[str, set[str]] = {}
        """Data that is in a partition, by transaction, as it was told."""
        self.told: dict[str, bool] = {}
        """Outcomes of transactions, as it was told."""
        self._rng = rng
        self._step: Step | None = None
        self._added: set[Partition] = set()
        self._count = 0
        self._data = 0
        self._ending: bool | None = None
        self._must_abort = False
        self._resumes = False

    @property
    def label(self) -> str:
        """Of the transaction that it is in."""
        return f"{self.name}#{self._count}"

    def next_step(self, partitions: list[Partition]) -> Step:
        if self._step is None:
            self._step = self._choose(partitions)
        return self._step

    def _choose(self, partitions: list[Partition]) -> Step:
        rng = self._rng
        if self.pair is None or self._resumes:
            return Init(self.pair if self._resumes and self.pair is not None else (-1, -1))
        if self._ending is not None:
            return End(self._ending)
        begun = bool(self._added or self.acknowledged.get(self.label))
        if self._must_abort or rng.random() < 0.25:
            if begun or self.is_new:
                self._ending = begun and not self._must_abort and rng.random() < 0.7
                return End(self._ending)
            self._must_abort = False
        partition = rng.choice(partitions)
        self._data += 1
        if self.is_new or partition in self._added:
            return Write(partition, f"{self.label}.{self._data}")
        if rng.random() < 0.95:
            return Add(partition)
        # It forgets to say so first. That must not hang; what becomes of it is its own fault: where the transaction
        # before has no marker yet, it falls into that.
        return Write(partition, f"{self.label}{FORGOTTEN}{self._data}.0")

    # What it hears.

    def lost(self) -> None:
        """The connection is gone, or the coordinator: what it asked may have been done."""
        self.waits_for = None
        if isinstance(self._step, Write):
            # It does not know whether that is there: it must not commit.
            self._must_abort = True
            self._step = None
        elif isinstance(self._step, Init) and self._resumes and self._rng.random() < 0.5:
            self._begin_anew()

    def initialized(self, code: ErrorCode, pair: tuple[int, int]) -> None:
        self.waits_for = None
        if code is ErrorCode.NONE:
            self._next_transaction(pair)
        elif code not in ASKED_AGAIN:
            self._begin_anew()

    def added(self, codes: list[ErrorCode]) -> None:
        self.waits_for = None
        assert isinstance(self._step, Add)
        if all(code is ErrorCode.NONE for code in codes):
            self._added.add(self._step.partition)
            self._step = None
        elif codes[0] not in ASKED_AGAIN:
            self._fail(codes[0])

    def written(self, label: str, data: str, *, is_there: bool) -> None:
        self.waits_for = None
        self._step = None
        if is_there and FORGOTTEN not in data:
            self.acknowledged.setdefault(label, set()).add(data)
        else:
            self._must_abort = True

    def ended(self, code: ErrorCode, pair: tuple[int, int]) -> None:
        self.waits_for = None
        assert isinstance(self._step, End)
        if code is ErrorCode.NONE:
            self.told[self.label] = self._step.commit
            self._next_transaction(pair if self.is_new else self.pair or pair)
        elif code not in ASKED_AGAIN:
            self._fail(code)

    def _next_transaction(self, pair: tuple[int, int]) -> None:
        self.pair = pair
        self._count += 1
        self._step = self._ending = None
        self._added = set()
        self._must_abort = self._resumes = False

    def _fail(self, code: ErrorCode) -> None:
        """It may die of that, go on with its pair, or begin anew: applications differ."""
        fate = self._rng.random()
        if fate < 0.3:
            self.is_alive = False
        elif fate < 0.7:
            self._resumes, self._step, self._ending = True, None, None
        else:
            self._begin_anew()

    def _begin_anew(self) -> None:
        self.pair, self._step, self._ending = None, None, None
        self._resumes = False

    def heard(self, answer: Any) -> None:
        """What the coordinator answered to anything but a write; None when it is gone."""
        if answer is None:
            self.lost()
        elif isinstance(answer, list):
            self.added(answer)
        elif isinstance(self._step, Init):
            self.initialized(ErrorCode(answer.error_code), (answer.producer_id, answer.producer_epoch))
        else:
            self.ended(ErrorCode(answer.error_code), (answer.producer_id, answer.producer_epoch))
