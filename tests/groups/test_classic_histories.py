"""Thousands of histories; ``python -m tests.groups.classic_histories FIRST END`` plays more of them."""

from __future__ import annotations

import pytest

from tests.groups.classic_histories import History
from tests.support.histories import play

HISTORIES = 2_000
PER_TEST = 250


@pytest.mark.parametrize("first", range(0, HISTORIES, PER_TEST))
def test_histories_hold(first: int) -> None:
    for seed in range(first, first + PER_TEST):
        play(History, seed)


def test_a_history_is_made_of_its_seed() -> None:
    def transcript(seed: int) -> list[str]:
        return list(play(History, seed).transcript())

    assert transcript(7) == transcript(7)
    assert transcript(7) != transcript(8)
