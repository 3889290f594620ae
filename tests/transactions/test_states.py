"""The table of states, and its drawing in ``docs/``."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from ottla.transactions.state import EXPIRES, PREPARED, TRANSITIONS, State, is_allowed, state_named

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "transactions.md"


def draw() -> str:
    """The states and every way between them, for a renderer of mermaid."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> Empty"]
    lines += [f"    {state.text} --> {to.text}" for state in State for to in State if to in TRANSITIONS[state]]
    lines += ["    Dead --> [*]", "```"]
    return "\n".join(lines) + "\n"


def test_the_drawing_is_of_this_table() -> None:
    assert draw() in DOCUMENT.read_text()


def test_the_table_is_kafkas() -> None:
    """``TransactionState`` lists the states before each; here are those after."""
    idle = {State.EMPTY, State.COMPLETE_COMMIT, State.COMPLETE_ABORT}
    before = {
        State.EMPTY: idle,
        State.ONGOING: {State.ONGOING, *idle},
        State.PREPARE_COMMIT: {State.ONGOING},
        State.PREPARE_ABORT: {State.ONGOING, State.PREPARE_EPOCH_FENCE, *idle},
        State.COMPLETE_COMMIT: {State.PREPARE_COMMIT},
        State.COMPLETE_ABORT: {State.PREPARE_ABORT},
        State.DEAD: idle,
        State.PREPARE_EPOCH_FENCE: {State.ONGOING},
    }

    assert {to: {state for state in State if to in TRANSITIONS[state]} for to in State} == before
    assert idle == EXPIRES
    assert {State.PREPARE_COMMIT, State.PREPARE_ABORT} == PREPARED


@pytest.mark.parametrize(("old", "new"), list(itertools.product(State, State)))
def test_only_version_2_aborts_what_was_never_begun(old: State, new: State) -> None:
    assert is_allowed(old, new, 2) == (new in TRANSITIONS[old])
    differs = new is State.PREPARE_ABORT and old in EXPIRES
    assert is_allowed(old, new, 0) == (new in TRANSITIONS[old] and not differs)


def test_names_are_kafkas() -> None:
    names = "Empty Ongoing PrepareCommit PrepareAbort CompleteCommit CompleteAbort Dead PrepareEpochFence"
    assert [state.text for state in State] == names.split()
    assert [state_named(name) for name in names.split()] == list(State)
    assert state_named("ongoing") is None
