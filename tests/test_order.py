"""Each process begins with the longest tests."""

from __future__ import annotations

import pytest
from support.order import dealt


def stretches(order: list[str], processes: int) -> list[list[str]]:
    """What the work-stealing scheduler of xdist gives to each process at first."""
    given = []
    for left in range(processes, 0, -1):
        count = len(order) // left
        given.append(order[:count])
        order = order[count:]
    return given


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("others", [0, 1, 30, 31, 33])
def test_each_process_begins_with_its_share_of_the_longest(processes: int, others: int) -> None:
    longest, rest = [f"long {n}" for n in range(12)], [f"other {n:02}" for n in range(others)]
    order = dealt(longest, rest, processes)
    assert sorted(order) == sorted([*longest, *rest])
    assert [one for one in order if one in rest] == rest
    given = stretches(order, processes)
    if len(rest) > processes:
        for number, stretch in enumerate(given):
            own = longest[number::processes]
            assert stretch[: len(own)] == own


def test_where_there_are_hardly_any_none_is_left_out() -> None:
    assert sorted(dealt(["a"], ["b"], 4)) == ["a", "b"]
    assert dealt([], [], 4) == []
