"""Targets that are made between requests: what members hear meanwhile, and what a change in between comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from ottla.coordinator.machine import CoordinatorError
from ottla.errors import ErrorCode
from ottla.groups.consumer.assigning import ATTEMPTS_MAX, REFUSED_MS
from ottla.groups.consumer.config import AssigningLimits
from ottla.groups.consumer.group import GroupState
from tests.groups.slice_lengths import INTERVAL_MS, Fleet
from tests.support.interpreter_steps import interpreter_steps

EACH_STEP = AssigningLimits(at_once_work_max=0, step_work=1, steps_per_advance=1)


def targets(fleet: Fleet) -> Counter[tuple[bytes, int]]:
    """By whom each partition is to be read."""
    return Counter(
        (topic_id, partition)
        for target in fleet.group.target.values()
        for topic_id, partitions in target.items()
        for partition in partitions
    )


def finish(fleet: Fleet) -> int:
    steps = 0
    while fleet.step():
        steps += 1
    return steps


def joined(members: int, batch_bytes_max: int = 1 << 20) -> Fleet:
    """All are in the group, and a target for all is being made; there are 12 partitions."""
    fleet = Fleet(members, 12, topics=2, limits=EACH_STEP, batch_bytes_max=batch_bytes_max)
    for name in fleet.names:
        fleet.beat(name)
    return fleet


def test_members_stay_where_they_are_until_the_target_is_made() -> None:
    fleet = joined(3)

    assert fleet.group.state is GroupState.ASSIGNING
    assert set(fleet.epochs.values()) == {0}
    for _ in range(5):
        assert fleet.step()
    fleet.beat(fleet.names[0])
    assert fleet.epochs[fleet.names[0]] == 0
    assert fleet.has[fleet.names[0]] == ()

    assert finish(fleet) > 10
    # Joins of others were between its beginning and its end: it was begun again for them.
    assert fleet.group.assignment_epoch == fleet.group.epoch
    assert len(targets(fleet)) == sum(targets(fleet).values()) == 12
    fleet.settle()
    assert set(fleet.epochs.values()) == {fleet.group.epoch}


def test_a_target_is_one_batch() -> None:
    fleet = joined(3)
    before = len(fleet.written)
    finish(fleet)

    assert fleet.written[before:] == [4]


def test_a_group_that_changes_all_the_time_gets_a_target() -> None:
    fleet = joined(3)
    fleet.settle()
    epoch = fleet.group.assignment_epoch
    fleet.now_ms += INTERVAL_MS
    steps = 0
    number = 0
    while fleet.group.assignment_epoch == epoch:
        number += 1
        fleet.beat(f"other-{number:016}")
        assert fleet.step()
        steps += 1

    # What is there is given to those who were there when the last attempt began.
    assert epoch < fleet.group.assignment_epoch < fleet.group.epoch
    assert max(targets(fleet).values()) == 1
    assert fleet.group.state is GroupState.ASSIGNING
    finish(fleet)
    fleet.now_ms += INTERVAL_MS
    fleet.beat(fleet.names[0])
    finish(fleet)
    assert fleet.group.assignment_epoch == fleet.group.epoch


def at_the_last_attempt(fleet: Fleet, change: Callable[[int], None]) -> None:
    """Lets the group change in each attempt; ``change`` is given its number."""
    begun = fleet.machine._consumer._core.assigning._running
    for attempt in range(1, ATTEMPTS_MAX + 1):
        while begun[0].attempt < attempt:
            assert fleet.step()
        fleet.step()
        change(attempt)
    finish(fleet)


def test_who_goes_meanwhile_has_no_target() -> None:
    fleet = joined(6)
    fleet.settle()
    fleet.now_ms += INTERVAL_MS
    fleet.leave(fleet.names[-1])
    fleet.beat(fleet.names[0])

    at_the_last_attempt(fleet, lambda _: fleet.leave(fleet.names[-1]))

    assert fleet.group.target.keys() == set(fleet.names)
    assert max(targets(fleet).values()) == 1
    fleet.settle()
    assert sum(targets(fleet).values()) == 12


def test_a_static_member_that_comes_back_meanwhile_has_what_was_meant_for_it() -> None:
    fleet = joined(3)
    names = ["static-0", "static-1", "static-2", "static-3"]
    fleet.beat(names[0], instance_id="i")
    fleet.names.append(names[0])
    fleet.settle()
    fleet.now_ms += INTERVAL_MS
    fleet.beat("another")
    group = fleet.group
    assert group.is_assigning

    def comes_back(attempt: int) -> None:
        fleet.leave(names[attempt - 1], -2, "i")
        fleet.beat(names[attempt], instance_id="i")

    at_the_last_attempt(fleet, comes_back)

    assert group.assignment_epoch == group.epoch, "nothing that makes another epoch"
    assert len(group.target) == 5
    assert group.target[names[-1]]
    assert len(targets(fleet)) == 12
    assert max(targets(fleet).values()) == 1


def test_a_group_that_is_gone_needs_no_target() -> None:
    fleet = joined(2)
    for name in list(fleet.names):
        fleet.leave(name)
    written = len(fleet.written)

    assert finish(fleet) == 1
    assert len(fleet.written) == written
    assert not fleet.group.is_assigning


def test_what_is_too_large_is_refused_whole_and_said_to_members() -> None:
    fleet = joined(8, batch_bytes_max=600)
    written = len(fleet.written)
    finish(fleet)

    assert len(fleet.written) == written
    assert fleet.group.assignment_epoch == 0
    with pytest.raises(CoordinatorError, match=r"max\.message\.bytes") as refused:
        fleet.beat(fleet.names[0], epoch=0)
    assert refused.value.code is ErrorCode.UNKNOWN_SERVER_ERROR
    assert fleet.shard.look_ahead() is not None
    assert not fleet.step(), "the same is not tried again"

    fleet.now_ms += REFUSED_MS
    fleet.beat(fleet.names[0], epoch=0)
    assert finish(fleet) > 10, "until it may be possible"
    assert fleet.group.assignment_epoch == 0
    while len(fleet.names) > 4:
        fleet.leave(fleet.names[-1])
    fleet.beat(fleet.names[0], epoch=0)
    finish(fleet)
    assert fleet.group.assignment_epoch == fleet.group.epoch


def test_small_groups_have_their_target_with_the_heartbeat() -> None:
    fleet = Fleet(200, 400, topics=1)
    for name in fleet.names:
        fleet.beat(name)
        fleet.now_ms += INTERVAL_MS
        assert not fleet.group.is_assigning
        assert fleet.epochs[name] == fleet.group.epoch


@pytest.mark.parametrize("assignor", ["uniform", "range"])
def test_no_slice_is_long(assignor: str) -> None:
    """1,000 members with different subscriptions, 10,000 partitions. 200,000 steps of the interpreter are some 3 ms."""
    longest = 0

    def counted(operation: Callable[[], None]) -> None:
        nonlocal longest
        longest = max(longest, interpreter_steps(operation))

    fleet = Fleet(1_000, 10_000, mixed=True, assignor=assignor)
    for name in fleet.names:
        fleet.beat(name)
    finish(fleet)
    fleet.now_ms += INTERVAL_MS
    fleet._perform = counted
    fleet.beat(fleet.names[1])
    assert finish(fleet) > 10
    assert len(targets(fleet)) == 10_000

    print(f"{assignor}: the longest slice has {longest} steps")
    assert longest < 200_000
