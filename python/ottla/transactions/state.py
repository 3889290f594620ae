"""The states of a transactional id, and every way from one to another: one table.

Prior art: Kafka's ``TransactionState``, which lists the states before each; ours lists those after, and the drawing in
``docs/transactions.md`` is made from it. A transition that is not here is our bug, never the client's.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["EXPIRES", "PREPARED", "TRANSITIONS", "State", "is_allowed", "state_named"]


class State(enum.IntEnum):
    """The value is the one in records."""

    EMPTY = 0
    """A producer has its id and epoch; no transaction of that epoch is open or was."""
    ONGOING = 1
    """Open: partitions are added, and its clock runs."""
    PREPARE_COMMIT = 2
    """Decided, once that is committed: every partition gets a marker, however long it takes."""
    PREPARE_ABORT = 3
    """As before, the other way."""
    COMPLETE_COMMIT = 4
    """Every partition has its marker."""
    COMPLETE_ABORT = 5
    DEAD = 6
    """Forgotten: the record is a tombstone, and never this."""
    PREPARE_EPOCH_FENCE = 7
    """Its producer is shut out and the transaction about to be aborted: passed through on the way, never recorded."""

    @property
    def text(self) -> str:
        """The name on the wire."""
        return "".join(word.capitalize() for word in self.name.split("_"))


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.EMPTY: frozenset({State.EMPTY, State.ONGOING, State.PREPARE_ABORT, State.DEAD}),
        State.ONGOING: frozenset({State.ONGOING, State.PREPARE_COMMIT, State.PREPARE_ABORT, State.PREPARE_EPOCH_FENCE}),
        State.PREPARE_EPOCH_FENCE: frozenset({State.PREPARE_ABORT}),
        State.PREPARE_COMMIT: frozenset({State.COMPLETE_COMMIT}),
        State.PREPARE_ABORT: frozenset({State.COMPLETE_ABORT}),
        State.COMPLETE_COMMIT: frozenset({State.EMPTY, State.ONGOING, State.PREPARE_ABORT, State.DEAD}),
        State.COMPLETE_ABORT: frozenset({State.EMPTY, State.ONGOING, State.PREPARE_ABORT, State.DEAD}),
        State.DEAD: frozenset(),
    }
)
PREPARED: Final = frozenset({State.PREPARE_COMMIT, State.PREPARE_ABORT})
EXPIRES: Final = frozenset({State.EMPTY, State.COMPLETE_COMMIT, State.COMPLETE_ABORT})
"""No transaction is open: whoever is silent for long enough is forgotten."""

_NAMED: Final = MappingProxyType({state.text: state for state in State})


def is_allowed(old: State, new: State, transaction_version: int) -> bool:
    """May it go from one to the other under this version? Only version 2 aborts what was never begun."""
    if new is State.PREPARE_ABORT and old in EXPIRES and transaction_version < 2:
        return False
    return new in TRANSITIONS[old]


def state_named(name: str) -> State | None:
    """Of its name on the wire; None when there is none of that name."""
    return _NAMED.get(name)
