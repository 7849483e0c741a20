"""The stretch of time that is searched for a gap."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from traptor.common.fills import FillMethod
from traptor.supervisor.fills.window import BEFORE_S, window
from traptor.supervisor.gaps.fill import Fill


@given(since=st.floats(1.6e9, 1.9e9), seconds=st.floats(0, 1e6))
def test_a_window_of_whole_seconds_holds_the_gap_and_what_was_on_its_way(
    since: float, seconds: float
) -> None:
    start, end = window(Fill(1, "v2:app", since, since + seconds, FillMethod.SEARCH))
    assert unix(start) <= since - BEFORE_S
    assert unix(start) > since - BEFORE_S - 1
    assert since + seconds < unix(end) <= since + seconds + 2


def unix(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
