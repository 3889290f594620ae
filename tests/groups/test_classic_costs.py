"""Costs in steps of the interpreter: what time is made of, and the same on every machine."""

from __future__ import annotations

from functools import partial

import pytest

from ottla.coordinator.machine import Now, Outbox
from ottla.errors import ErrorCode
from ottla.groups.classic.config import ClassicConfig
from ottla.groups.classic.joining import PENDING_MAX
from ottla.groups.classic.state import State
from tests.groups.classic_costs import Crowd, bytes_per_empty_group
from tests.support.interpreter_steps import interpreter_steps as steps


def stable(members: int, empty_groups: int = 0) -> Crowd:
    crowd = Crowd(members, empty_groups)
    crowd.join()
    crowd.sync()
    assert crowd.state is State.STABLE
    crowd.heartbeat(0)
    return crowd


def test_a_heartbeat_costs_the_same_in_every_group() -> None:
    small, large, among_others = stable(10), stable(1_000), stable(10, 10_000)

    costs = {steps(partial(crowd.heartbeat, 7)) for crowd in (small, large, among_others)}

    assert len(costs) == 1
    # Of these some 65 are for the offer to let the answer stand, after which the next heartbeats do not come here.
    assert costs.pop() < 450


@pytest.mark.parametrize("sizes", [(50, 500), (600, 3_000)], ids=["told at once", "told in slices"])
@pytest.mark.parametrize("phase", ["join", "sync", "rejoin", "leave", "fall_silent"])
def test_the_cost_of_a_member_does_not_grow_with_the_group(phase: str, sizes: tuple[int, int]) -> None:
    costs = []
    for members in sizes:
        crowd = Crowd(members) if phase == "join" else stable(members)
        if phase == "sync":
            crowd.join()
        costs.append(steps(getattr(crowd, phase.removeprefix("re"))) / members)

    assert costs[1] < 1.05 * costs[0]


def test_the_end_of_a_phase_leaves_the_making_of_answers_for_later() -> None:
    """What it does for each member at once is what it must: nobody else is served meanwhile."""
    members = ClassicConfig().told_at_once
    crowd = stable(members)
    last = crowd.join_but_one()
    outbox = Outbox(Now(crowd.now_ms, crowd.now_ms), crowd.groups.apply)

    cost = steps(partial(last, outbox))

    assert len(outbox.answers) == members
    assert cost / members < 250
    assert sum(steps(answer) for answer in outbox.answers) / members > 60


def test_the_end_of_the_join_phase_of_a_large_group_is_told_in_slices() -> None:
    """300,000 steps are some 5 ms."""
    members = 5_000
    crowd = stable(members)
    last = crowd.join_but_one()
    outbox = Outbox(Now(crowd.now_ms, crowd.now_ms), crowd.groups.apply)
    group = crowd.groups.ensure("g")
    before = group.generation

    costs = [steps(partial(last, outbox))]
    assert group.generation == before + 1
    assert not outbox.answers
    told = []
    while (due_ms := crowd.groups.next_deadline_ms()) is not None and due_ms <= crowd.now_ms:
        outbox = Outbox(Now(crowd.now_ms, crowd.now_ms), crowd.groups.apply)
        costs.append(steps(partial(crowd.groups.advance, outbox)))
        told.append(len(outbox.answers))

    print(f"steps: {costs}")
    assert sum(told) == members
    assert max(told) <= ClassicConfig().told_at_once
    assert max(costs) < 300_000


def test_empty_groups_are_small_and_wait_for_nothing() -> None:
    assert Crowd(0, 10_000).groups.next_deadline_ms() is None
    assert bytes_per_empty_group(1_000) < 2_000


def test_ids_that_are_given_out_are_bounded_and_lapse() -> None:
    crowd = Crowd(0)
    codes = [crowd.ask_for_id("g") for _ in range(PENDING_MAX + 2)]

    assert codes[-3:] == [ErrorCode.MEMBER_ID_REQUIRED, *[ErrorCode.GROUP_MAX_SIZE_REACHED] * 2]

    crowd.fall_silent()

    assert crowd.ask_for_id("g") == ErrorCode.MEMBER_ID_REQUIRED
    assert len(crowd.groups.ensure("g").pending) == 1
