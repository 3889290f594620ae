"""Timers beside a dumb model: a table of what is due when."""

from __future__ import annotations

from random import Random

import pytest

from ottla.coordinator.machine import Outbox
from ottla.groups.deadlines import STALE_MIN, Deadlines

TIMERS = 2_000


def act(_: Outbox) -> None:
    raise AssertionError("whoever takes a timer out acts")


@pytest.mark.parametrize("seed", range(20))
def test_timers_come_up_when_they_are_due(seed: int) -> None:
    rng = Random(seed)
    count = rng.choice((1, 10, TIMERS))
    deadlines = Deadlines()
    timers = [deadlines.timer(act) for _ in range(count)]
    due: dict[int, int] = {}
    now_ms = 0
    for _ in range(5_000):
        number = rng.randrange(count)
        match rng.randrange(10):
            case 0:
                timers[number].cancel()
                due.pop(number, None)
            case 1:
                now_ms += rng.randrange(200)
                while (timer := deadlines.pop(now_ms)) is not None:
                    assert timer.at_ms is None
                    came_ms = due.pop(timers.index(timer))
                    assert came_ms <= min([*due.values(), now_ms])
                assert min(due.values(), default=now_ms + 1) > now_ms
                look_ms = deadlines.next_ms()
                assert look_ms is None or look_ms > now_ms, "nobody looks twice at one moment"
            case _:
                due[number] = now_ms + rng.randrange(-5, 500)
                timers[number].set(due[number])
        look_ms = deadlines.next_ms()
        assert (look_ms is None) == (not due)
        assert look_ms is None or look_ms <= min(due.values())
    assert {number: timer.at_ms for number, timer in enumerate(timers) if timer.at_ms is not None} == due


def test_of_one_moment_the_first_that_was_set_comes_first() -> None:
    deadlines = Deadlines()
    timers = [deadlines.timer(act) for _ in range(5)]
    for timer in timers:
        timer.set(7)

    assert [deadlines.pop(7) for _ in range(6)] == [*timers, None]


def test_what_is_cancelled_or_moved_takes_no_room() -> None:
    deadlines = Deadlines()
    timers = [deadlines.timer(act) for _ in range(TIMERS)]
    for round_ in range(50):
        for timer in timers:
            timer.set(1_000_000 - round_)
        for timer in timers[::2]:
            timer.cancel()

    assert len(deadlines) <= 2 * TIMERS + STALE_MIN

    for timer in timers:
        timer.cancel()

    assert deadlines.next_ms() is None
    assert len(deadlines) == 0
