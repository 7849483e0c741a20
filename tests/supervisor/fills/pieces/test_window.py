"""The stretches of time that X is asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.fills import FillMethod
from traptor.supervisor.fills.pieces.window import (
    BEFORE_S,
    RECOVERABLE_S,
    backfill_minutes,
    is_covered,
    recovery_window,
    window,
)
from traptor.supervisor.gaps.fill import Fill

NOW = 1_790_000_000.0


@given(since=st.floats(1.6e9, 1.9e9), seconds=st.floats(0, 1e6))
def test_a_window_of_whole_seconds_holds_the_gap_and_what_was_on_its_way(
    since: float, seconds: float
) -> None:
    start, end = window(Fill(1, "v2:app", since, since + seconds, FillMethod.SEARCH))
    assert unix(start) <= since - BEFORE_S
    assert unix(start) > since - BEFORE_S - 1
    assert since + seconds < unix(end) <= since + seconds + 2


@pytest.mark.parametrize(
    ("ago_s", "minutes"), [(0.0, 1), (44.9, 1), (45.1, 2), (284.9, 5), (285.1, 0), (90_000.0, 0)]
)
def test_a_backfill_reaches_back_before_the_gap_or_is_not_asked_for(ago_s: float, minutes: int) -> None:
    assert backfill_minutes(NOW - ago_s, NOW) == minutes


@given(length=st.floats(0, 300), late=st.floats(0, 4.9))
def test_the_minutes_asked_for_cover_the_gap_when_the_stream_opens(length: float, late: float) -> None:
    gap = Fill(1, "v2:app", NOW - length, NOW + late, FillMethod.RECOVERY)
    minutes = backfill_minutes(gap.from_unix, NOW)
    assert is_covered(gap, minutes, NOW + late) is (minutes > 0)


def test_a_stream_does_not_cover_what_is_older_or_came_after_it() -> None:
    gap = Fill(1, "v2:app", NOW - 100, NOW - 50, FillMethod.RECOVERY)
    assert is_covered(gap, 2, NOW)
    assert not is_covered(gap, 1, NOW)
    assert not is_covered(gap, 5, NOW - 60)


@given(age=st.floats(1, 86_000), seconds=st.floats(0.1, 50_000), done=st.floats(0, 1) | st.none())
def test_a_recovery_asks_for_what_is_missing_of_the_last_day(
    age: float, seconds: float, done: float | None
) -> None:
    gap = Fill(1, "v2:app", NOW - age - seconds, NOW - age, FillMethod.RECOVERY)
    reached = None if done is None else gap.from_unix + done * seconds
    token = "" if reached is None else f"{reached:.3f}"
    start, end = (unix(one) for one in recovery_window(replace(gap, token=token), NOW) or ("", ""))
    assert NOW - RECOVERABLE_S < start < end <= NOW
    assert gap.to_unix - 1 < end
    assert start <= max(reached or gap.from_unix, NOW - RECOVERABLE_S + 61)
    assert start >= gap.from_unix - BEFORE_S - 1


def test_what_is_older_than_a_day_is_not_asked_for() -> None:
    gap = Fill(1, "v2:app", NOW - RECOVERABLE_S - 100, NOW - RECOVERABLE_S, FillMethod.RECOVERY)
    assert recovery_window(gap, NOW) is None


def unix(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
