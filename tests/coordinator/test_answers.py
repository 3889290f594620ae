from __future__ import annotations

import itertools
from collections.abc import Callable

import trio
import trio.testing

from ottla.coordinator.answers import Answers
from ottla.coordinator.shard import ANSWERS_PER_PASS


def noting(numbers: range, given: list[int]) -> list[Callable[[], None]]:
    def note(number: int) -> Callable[[], None]:
        return lambda: given.append(number)

    return [note(number) for number in numbers]


def test_a_few_leave_at_once() -> None:
    answers, given = Answers(), list[int]()
    answers.give(noting(range(ANSWERS_PER_PASS), given))
    assert given == list(range(ANSWERS_PER_PASS))


def test_many_leave_in_slices_and_in_order() -> None:
    async def main() -> None:
        answers, given = Answers(), list[int]()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answers.run)
            await trio.testing.wait_all_tasks_blocked()
            answers.give(noting(range(200), given))
            assert given == []
            answers.give(noting(range(200, 203), given))
            assert given == [], "they do not overtake"
            steps = [0]
            while len(given) < 203:
                await trio.lowlevel.checkpoint()
                steps.append(len(given))
            # Two slices at most lie between two looks: tasks of one pass run in any order.
            assert max(after - before for before, after in itertools.pairwise(steps)) <= 2 * ANSWERS_PER_PASS
            assert given == list(range(203))
            answers.give(noting(range(203, 204), given))
            assert given[-1] == 203
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_all_leave_before_an_end() -> None:
    answers, given = Answers(), list[int]()
    answers.give(noting(range(100), given))
    answers.give_out()
    assert given == list(range(100))
