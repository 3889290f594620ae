"""What the kill test of groups takes for a fault, and what it does not."""

import pytest

from ottla.errors import ErrorCode
from tests.faults.group_ledger import Assignments, Attendance, Commits


def commits_of(*codes: int | None) -> Commits:
    """One commit of partition 0 each; None was not answered."""
    commits = Commits("g", 1)
    for code in codes:
        offsets = commits.ask([0])
        if code is not None:
            commits.settle(offsets, code)
    return commits


@pytest.mark.parametrize(
    ("codes", "found", "unheard"),
    [
        ((), {}, 0),
        ((0, 0), {0: 1}, 0),
        ((0, None), {0: 0}, 0),
        ((0, None), {0: 1}, 1),
        ((None,), {}, 0),
        ((0, ErrorCode.NOT_COORDINATOR), {0: 1}, 1),
    ],
)
def test_what_was_acknowledged_or_not_answered_may_be_there(
    codes: tuple[int | None, ...], found: dict[int, int], unheard: int
) -> None:
    assert commits_of(*codes).check(found) == unheard


@pytest.mark.parametrize(
    ("codes", "found"),
    [
        ((0,), {}),
        ((0, 0), {0: 0}),
        ((None, 0), {0: 0}),
        ((0, ErrorCode.ILLEGAL_GENERATION), {0: 1}),
        ((0,), {0: 1}),
    ],
)
def test_lost_refused_and_invented_commits_are_faults(codes: tuple[int | None, ...], found: dict[int, int]) -> None:
    with pytest.raises(AssertionError, match="g, partition 0"):
        commits_of(*codes).check(found)


def test_what_was_there_once_stays() -> None:
    commits = commits_of(None)
    commits.check({0: 0})

    with pytest.raises(AssertionError, match="0 was acknowledged"):
        commits.check({})


def test_a_partition_has_one_owner_in_one_generation() -> None:
    assignments = Assignments("g")
    assignments.handed_out(1, "a", {0, 1})
    assignments.handed_out(1, "b", {2})
    assignments.handed_out(2, "b", {0, 1})
    assert assignments.of_newest() == {"b": {0, 1}}

    with pytest.raises(AssertionError, match="partition 1 is given to b and a"):
        assignments.handed_out(2, "a", {1})


def test_generations_do_not_go_back() -> None:
    assignments = Assignments("g")
    assignments.handed_out(3, "a", {0})
    with pytest.raises(AssertionError, match="a was at 3, and is told 2"):
        assignments.handed_out(2, "a", {0})


def test_a_generation_that_was_over_does_not_come_again() -> None:
    assignments = Assignments("g")
    assignments.handed_out(3, "a", {0})
    assignments.is_over()
    with pytest.raises(AssertionError, match="now comes generation 3"):
        assignments.handed_out(3, "b", {1})


def test_the_last_member_stays() -> None:
    attendance = Attendance()
    attendance.enter("a")
    assert not attendance.may_leave("a")
    attendance.enter("b")
    assert attendance.may_leave("a")
    assert not attendance.may_leave("a")
    attendance.enter("a")
    attendance.lost("a")
    assert not attendance.may_leave("b")
