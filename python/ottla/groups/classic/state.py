"""The states of a classic group, and every way from one to another: one table.

Prior art: Kafka's ``ClassicGroupState``, which lists the states before each; ours lists those after, and the drawing in
``docs/classic_groups.md`` is made from it. A transition that is not here is our bug, never the client's.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["TRANSITIONS", "State"]


class State(enum.Enum):
    """The value is the name on the wire."""

    EMPTY = "Empty"
    """No members; it may have offsets, and ids that were given out."""
    PREPARING_REBALANCE = "PreparingRebalance"
    """Members join again; those that joined wait for the others."""
    COMPLETING_REBALANCE = "CompletingRebalance"
    """All have the new generation; they wait for the assignment that its leader makes."""
    STABLE = "Stable"
    """Every member can have its assignment."""
    DEAD = "Dead"
    """Given up: deleted, turned into a group of another protocol, or coordinated elsewhere."""


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.EMPTY: frozenset({State.PREPARING_REBALANCE, State.DEAD}),
        State.PREPARING_REBALANCE: frozenset({State.COMPLETING_REBALANCE, State.EMPTY, State.DEAD}),
        State.COMPLETING_REBALANCE: frozenset({State.STABLE, State.PREPARING_REBALANCE, State.DEAD}),
        State.STABLE: frozenset({State.PREPARING_REBALANCE, State.DEAD}),
        State.DEAD: frozenset(),
    }
)
