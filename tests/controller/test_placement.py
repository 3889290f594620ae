from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.controller.decision import Refused
from ottla.controller.placement import UsableBroker, place
from ottla.errors import ErrorCode


def brokers(*racks: str | None, fenced: frozenset[int] = frozenset()) -> list[UsableBroker]:
    return [UsableBroker(index, rack, index in fenced) for index, rack in enumerate(racks)]


@given(
    st.lists(st.sampled_from(("a", "b", "c")), min_size=1, max_size=7),
    st.integers(1, 40),
    st.integers(1, 7),
    st.sets(st.integers(0, 6)),
    st.randoms(use_true_random=False),
)
def test_every_placement_is_fair(racks: list[str], count: int, factor: int, fenced: set[int], chance: object) -> None:
    below = chance.randrange  # type: ignore[attr-defined]
    usable = brokers(*racks, fenced=frozenset(fenced))
    unfenced = {broker.broker_id for broker in usable if not broker.fenced}
    if not unfenced or factor > len(usable):
        with pytest.raises(Refused):
            place(count, factor, usable, below)
        return

    placed = place(count, factor, usable, below)

    assert len(placed) == count
    for replicas in placed:
        assert len(set(replicas)) == factor
        assert replicas[0] in unfenced
        per_rack = Counter(racks[broker_id] for broker_id in replicas)
        assert len(per_rack) == min(factor, len(set(racks)))


def test_leaders_spread_over_equal_brokers() -> None:
    leaders = Counter(replicas[0] for replicas in place(60, 2, brokers("a", "a", "b", "b"), lambda _: 0))

    assert set(leaders.values()) == {15}


@pytest.mark.parametrize(
    ("factor", "fenced", "words"),
    [
        (0, frozenset(), "must be positive"),
        (1, frozenset({0, 1}), "All brokers are currently fenced"),
        (3, frozenset(), "only 2 broker"),
    ],
)
def test_refuses_in_kafkas_words(factor: int, fenced: frozenset[int], words: str) -> None:
    with pytest.raises(Refused) as refused:
        place(1, factor, brokers(None, None, fenced=fenced), lambda _: 0)
    assert refused.value.error.code is ErrorCode.INVALID_REPLICATION_FACTOR
    assert words in (refused.value.error.message or "")
