"""Where the filling of one connection's gaps stands."""

from __future__ import annotations

import pytest

from traptor.supervisor.fills.pieces.course import ANSWER_WITHIN_S, Course, Failures, Worker

THIRD, FOURTH = Worker("v2:app", 3), Worker("v2:app", 4)


def test_only_the_answer_of_the_worker_that_was_asked_counts_and_counts_once() -> None:
    course = Course()
    first, second = course.ask(7, THIRD, 500, 100.0), course.ask(8, THIRD, 200, 101.0)
    assert ([*course.under_way], course.posts_under_way) == ([first, second], 700)
    assert course.take(second.number + 1, THIRD) is None
    assert course.take(first.number, FOURTH) is None
    assert course.take(first.number, THIRD) == first
    assert course.take(first.number, THIRD) is None
    assert ([*course.under_way], course.posts_under_way) == ([second], 200)


@pytest.mark.parametrize(
    ("workers", "after_s", "kept"),
    [
        ([THIRD, FOURTH], 1.0, [7, 8]),
        ([FOURTH], 1.0, [8]),
        ([], 1.0, []),
        ([THIRD, FOURTH], ANSWER_WITHIN_S - 1.0, [7, 8]),
        ([THIRD, FOURTH], ANSWER_WITHIN_S, [8]),
    ],
)
def test_a_piece_that_nobody_can_answer_any_more_is_forgotten(
    workers: list[Worker], after_s: float, kept: list[int]
) -> None:
    course = Course()
    asked = course.ask(7, THIRD, 500, 100.0)
    course.ask(8, FOURTH, 500, 100.5)
    course.forget(workers, 100.0 + after_s)
    assert [piece.fill for piece in course.under_way] == kept
    assert (course.take(asked.number, THIRD) is not None) == (7 in kept)


def test_a_failure_delays_the_next_piece_and_a_success_counts_anew() -> None:
    course = Course()
    course.ask(7, THIRD, 500, 100.0)
    course.failed(7, Failures(2, 503), 20.0, 100.5)
    assert (course.failures(7), course.not_before) == (Failures(2, 503), 120.5)
    course.failed(7, Failures(3), 1.0, 101.0)
    assert course.not_before == 120.5
    course.went_well(7)
    assert course.failures(7) == Failures()


def test_what_fails_of_one_gap_is_not_forgotten_because_another_goes_well() -> None:
    course = Course()
    course.failed(7, Failures(2), 0.0, 100.0)
    course.went_well(8)
    assert (course.failures(7).count, course.failures(8).count) == (2, 0)
