"""X allows one search a second and 300 in 15 minutes."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from traptor.supervisor.fills.pace import APART_S, MOST_IN_WINDOW, WINDOW_S, Pace


@given(waits=st.lists(st.floats(0, 30), min_size=1, max_size=700))
def test_no_window_holds_more_than_x_allows(waits: list[float]) -> None:
    pace, now, made = Pace(), 1_000.0, list[float]()
    for wait_s in waits:
        now = max(now + wait_s, pace.next_at())
        pace.made(now)
        made.append(now)
    assert all(later - earlier >= APART_S - 1e-6 for earlier, later in itertools.pairwise(made))
    assert all(
        later - earlier >= WINDOW_S - 1e-6
        for earlier, later in zip(made, made[MOST_IN_WINDOW:], strict=False)
    )


def test_the_first_is_due_at_once() -> None:
    assert Pace().next_at() == 0


def test_what_x_announces_counts() -> None:
    pace = Pace()
    pace.made(10.0)
    pace.told(3, 900.0)
    assert pace.next_at() == 11.0
    pace.told(0, None)
    assert pace.next_at() == 11.0
    pace.told(0, 900.0)
    assert pace.next_at() == 900.0
    pace.told(0, 50.0)
    assert pace.next_at() == 900.0


def test_a_request_may_have_reached_x_only_just_before_its_answer() -> None:
    """Two that are sent a second apart may arrive closer together: X refuses the second one."""
    pace = Pace()
    pace.made(10.0)
    pace.answered(12.5)
    assert pace.next_at() == 13.5
