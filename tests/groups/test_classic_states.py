"""The table of states, and its drawing in ``docs/``."""

from __future__ import annotations

from pathlib import Path

import pytest

from ottla.coordinator.machine import Now
from ottla.groups.classic.group import ClassicGroup
from ottla.groups.classic.state import TRANSITIONS, State
from ottla.groups.standing import Standings

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "classic_groups.md"


def draw() -> str:
    """The states and every way between them, for a renderer of mermaid."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> Empty"]
    lines += [f"    {state.value} --> {to.value}" for state in State for to in State if to in TRANSITIONS[state]]
    lines += ["    Dead --> [*]", "```"]
    return "\n".join(lines) + "\n"


def test_the_drawing_is_of_this_table() -> None:
    assert draw() in DOCUMENT.read_text()


def test_the_table_is_kafkas() -> None:
    """``ClassicGroupState`` lists the states before each; here are those after."""
    before = {
        State.EMPTY: {State.PREPARING_REBALANCE},
        State.PREPARING_REBALANCE: {State.STABLE, State.COMPLETING_REBALANCE, State.EMPTY},
        State.COMPLETING_REBALANCE: {State.PREPARING_REBALANCE},
        State.STABLE: {State.COMPLETING_REBALANCE},
        State.DEAD: set(State) - {State.DEAD},
    }

    assert {to: {state for state in State if to in TRANSITIONS[state]} for to in State} == before


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("to", State)
def test_a_transition_that_is_not_there_is_our_bug(state: State, to: State) -> None:
    group = ClassicGroup("g", Standings())
    group.state = state
    if to in TRANSITIONS[state]:
        group.transition(to, Now(0, 7))
        assert (group.previous, group.state, group.state_since_ms) == (state, to, 7)
    else:
        with pytest.raises(AssertionError, match="group g cannot go from"):
            group.transition(to, Now(0, 7))
        assert group.state is state
