"""Histories of groups with members of both protocols. More of them: ``python -m tests.groups.consumer_histories``."""

from __future__ import annotations

import pytest

from tests.groups.consumer_histories import History
from tests.support.histories import play

BLOCKS, SEEDS_PER_BLOCK = 10, 30


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_partition_has_one_owner_at_a_time_and_gets_one(block: int) -> None:
    for seed in range(block * SEEDS_PER_BLOCK, (block + 1) * SEEDS_PER_BLOCK):
        play(History, seed)


def test_a_history_is_made_of_its_seed() -> None:
    def transcript(seed: int) -> list[str]:
        return list(play(History, seed).transcript())

    assert transcript(7) == transcript(7)
    assert transcript(7) != transcript(8)
