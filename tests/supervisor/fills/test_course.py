"""Where the filling of one connection's gaps stands."""

from __future__ import annotations

from traptor.supervisor.fills.course import ANSWER_WITHIN_S, Course, Worker

THIRD, FOURTH = Worker("v2:app", 3), Worker("v2:app", 4)


def test_one_piece_is_under_way_at_a_time_and_only_its_answer_counts() -> None:
    course = Course()
    asked = course.ask(7, THIRD, 100.0)
    assert course.waits([THIRD], 101.0)
    assert course.take(asked.number + 1, THIRD, 101.0) is None
    assert course.take(asked.number, FOURTH, 101.0) is None
    assert course.take(asked.number, THIRD, 101.0) == asked
    assert course.take(asked.number, THIRD, 101.0) is None
    assert not course.waits([THIRD], 101.0)


def test_a_piece_that_nobody_can_answer_any_more_is_forgotten() -> None:
    course = Course()
    asked = course.ask(7, THIRD, 100.0)
    assert not course.waits([FOURTH], 101.0)
    assert course.take(asked.number, THIRD, 101.0) is None
    course.ask(7, FOURTH, 102.0)
    assert not course.waits([], 103.0)
    course.ask(7, FOURTH, 104.0)
    assert not course.waits([FOURTH], 104.0 + ANSWER_WITHIN_S)


def test_a_failure_delays_the_next_piece_and_a_success_counts_anew() -> None:
    course = Course()
    course.ask(7, THIRD, 100.0)
    assert course.due() == 101.0
    course.failed(2, 20.0, 100.5)
    assert (course.failures, course.due()) == (2, 120.5)
    course.failed(3, 1.0, 101.0)
    assert course.due() == 120.5
    course.went_well()
    assert course.failures == 0
