"""Thousands of histories; ``python -m tests.transactions.histories FIRST END`` plays more of them."""

from __future__ import annotations

import pytest

from tests.transactions.histories import play

HISTORIES = 1_500
PER_TEST = 250


@pytest.mark.parametrize("first", range(0, HISTORIES, PER_TEST))
def test_histories_hold(first: int) -> None:
    for seed in range(first, first + PER_TEST):
        play(seed)


def test_a_history_is_made_of_its_seed() -> None:
    def said(seed: int) -> list[str]:
        return [repr(line) for line in play(seed).model.said]

    assert said(7) == said(7)
    assert said(7) != said(8)
