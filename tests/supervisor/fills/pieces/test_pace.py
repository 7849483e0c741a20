"""X allows one search a second and 300 in 15 minutes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.errors import TraptorError
from traptor.supervisor.fills.pieces.pace import APART_S, MOST_IN_WINDOW, WINDOW_S, Pace, load_pace


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


WALL = 1_790_000_000.0


@pytest.mark.parametrize(
    ("passed_s", "set_back_s", "due_in_s"),
    [
        (0.0, 0.0, 600.0),
        (100.0, 0.0, 500.0),
        (100.0, 3_600.0, 600.0),  # no time counts as passed
        (599.5, 0.0, APART_S),  # a worker that died with its master may have asked until now
        (5_000.0, 0.0, APART_S),
    ],
)
def test_a_next_master_on_another_clock_goes_on_with_the_window(
    passed_s: float, set_back_s: float, due_in_s: float
) -> None:
    pace = Pace()
    for number in range(MOST_IN_WINDOW):
        pace.made(1_000.0 + number)
    now, wall_now = 7.0, WALL + passed_s - set_back_s
    loaded = load_pace(pace.dump(1_300.0, WALL), now, wall_now)
    assert loaded.next_at() == pytest.approx(now + due_in_s)


def test_what_x_announced_outlives_the_master_unless_it_cannot_be_meant() -> None:
    pace = Pace()
    pace.told(0, 1_400.0)
    assert load_pace(pace.dump(1_300.0, WALL), 7.0, WALL).next_at() == pytest.approx(107.0)
    pace.told(0, 1e12)
    assert load_pace(pace.dump(1_300.0, WALL), 7.0, WALL).next_at() == pytest.approx(7.0 + 86_400)


@pytest.mark.parametrize("dump", [{}, {"saved_at": 1.0, "made": "x", "not_before": 0.0}, {"made": []}])
def test_what_is_no_dump_is_said_to_be_none(dump: dict[str, object]) -> None:
    with pytest.raises(TraptorError, match="state_dir"):
        load_pace(dump, 7.0, WALL)
