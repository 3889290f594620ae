from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ottla.controller.elections import Rules, change
from ottla.metadata.delta import merge
from ottla.metadata.image import (
    ELIGIBLE_LEADER_REPLICAS,
    ISR,
    LAST_KNOWN_ELR,
    LEADER,
    LEADER_RECOVERY_STATE,
    RECOVERING,
    Partition,
)

ID = b"t" * 16
REPLICAS = (1, 2, 3)


def partition(isr: tuple[int, ...], leader: int, elr: tuple[int, ...] = (), last: tuple[int, ...] = ()) -> Partition:
    return (REPLICAS, isr, (), (), leader, 0, 5, 6, (b"d" * 16,) * 3, elr, last)


def after(before: Partition, target_isr: tuple[int, ...], rules: Rules) -> Partition:
    record = change(ID, 0, before, target_isr, rules)
    return before if record is None else merge(before, record)


def rules(alive: set[int], *, elr: bool = True, min_isr: int = 2, unclean: bool = False, crashed: int = -1) -> Rules:
    return Rules(alive.__contains__, min_isr, elr, unclean, crashed)


def test_the_leader_stays_while_it_may() -> None:
    assert change(ID, 0, partition((1, 2, 3), 2), (1, 2, 3), rules({1, 2, 3})) is None
    assert after(partition((1, 2, 3), 2), (2, 3), rules({2, 3}))[LEADER] == 2


def test_the_first_of_the_isr_in_the_order_of_the_replicas_follows() -> None:
    assert after(partition((3, 2, 1), 1), (3, 2), rules({2, 3}))[LEADER] == 2


def test_leavers_below_min_isr_may_yet_lead() -> None:
    left = after(partition((1, 2), 1), (2,), rules({2}))
    assert (left[ISR], left[LEADER], left[ELIGIBLE_LEADER_REPLICAS]) == ((2,), 2, (1,))
    nobody = after(left, (), rules(set()))
    assert (nobody[ISR], nobody[LEADER], nobody[LAST_KNOWN_ELR]) == ((), -1, (2,))
    assert set(nobody[ELIGIBLE_LEADER_REPLICAS]) == {1, 2}
    back = after(nobody, (), rules({1}))
    assert (back[ISR], back[LEADER], back[ELIGIBLE_LEADER_REPLICAS], back[LAST_KNOWN_ELR]) == ((1,), 1, (2,), ())
    assert back[LEADER_RECOVERY_STATE] == 0


def test_who_crashed_may_not_but_is_taken_when_it_led_last() -> None:
    crashed = after(partition((1,), 1), (), rules(set(), crashed=1))
    assert (crashed[ISR], crashed[LEADER], crashed[ELIGIBLE_LEADER_REPLICAS]) == ((), -1, ())
    back = after(crashed, (), rules({1}))
    assert (back[ISR], back[LEADER], back[LEADER_RECOVERY_STATE]) == ((1,), 1, RECOVERING)


def test_without_elr_the_last_of_the_isr_stays() -> None:
    dead = after(partition((1,), 1), (), rules(set(), elr=False))
    assert (dead[ISR], dead[LEADER]) == ((1,), -1)
    assert after(dead, (1,), rules({2, 3}, elr=False))[LEADER] == -1
    unclean = after(dead, (1,), rules({2, 3}, elr=False, unclean=True))
    assert (unclean[ISR], unclean[LEADER], unclean[LEADER_RECOVERY_STATE]) == ((2,), 2, RECOVERING)


SUBSETS = st.lists(st.sampled_from(REPLICAS), unique=True).map(tuple)


@given(SUBSETS, st.data(), st.booleans(), st.booleans(), st.integers(1, 3))
def test_invariants(isr: tuple[int, ...], data: st.DataObject, elr: bool, unclean: bool, min_isr: int) -> None:
    isr = isr if elr else isr or (1,)
    leader = data.draw(st.sampled_from((-1, *isr)))
    eligible = data.draw(SUBSETS.map(lambda each: tuple(r for r in each if r not in isr))) if elr else ()
    before = partition(isr, leader, eligible)
    kept = data.draw(SUBSETS)
    target = tuple(replica for replica in isr if replica in kept)
    alive = set(data.draw(SUBSETS)) - (set(isr) - set(target))

    result = after(before, target, rules(alive, elr=elr, unclean=unclean, min_isr=min_isr))

    if result[LEADER] != -1:
        assert result[LEADER] in alive
        assert result[LEADER] in result[ISR]
        assert result[LEADER] in (*target, *eligible, *isr) or unclean
    assert elr or result[ISR], "an ISR is never empty without eligible leader replicas"
    assert not set(result[ISR]) & set(result[ELIGIBLE_LEADER_REPLICAS])
    assert change(ID, 0, result, result[ISR], rules(alive, elr=elr, unclean=unclean, min_isr=min_isr)) is None or (
        result[ELIGIBLE_LEADER_REPLICAS] and len(result[ISR]) >= min_isr
    ), "what was decided stays decided, but that ELR is cleared by the next change, as in Kafka"
