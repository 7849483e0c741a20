"""Posts of the past that come over a stream, told from the live ones by their ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.worker.posts.past import QUIET_S, Backlog, written_at

OPENED = 1_790_000_000.0


def id_at(unix: float) -> str:
    return str(int(unix * 1000) - 1_288_834_974_657 << 22)


@given(st.integers(1_600_000_000_000, 1_900_000_000_000), st.integers(0, (1 << 22) - 1))
def test_an_id_tells_to_the_millisecond_when_its_post_was_written(unix_ms: int, rest: int) -> None:
    post_id = (unix_ms - 1_288_834_974_657 << 22) + rest
    assert written_at(str(post_id)) == pytest.approx(unix_ms / 1000, abs=1e-4)


@pytest.mark.parametrize("odd", [None, "", "x", "-5", "1.5", "٣", "9" * 400, "9" * 5_000])
def test_what_is_no_usual_id_is_of_no_time(odd: str | None) -> None:
    assert written_at(odd) is None
    assert not Backlog(OPENED, 0.0).holds(odd)


def test_posts_written_before_the_stream_opened_are_its_past() -> None:
    backlog = Backlog(OPENED, 0.0)
    assert backlog.holds(id_at(OPENED - 0.01))
    assert not backlog.holds(id_at(OPENED + 0.01))


def test_the_past_is_over_when_none_of_it_came_for_a_while() -> None:
    backlog = Backlog(OPENED, 100.0)
    assert not backlog.is_over(100.0 + QUIET_S - 0.1)
    backlog.took(True, {"posts": 1, "included_users": 2}, 105.0)
    backlog.took(False, {"posts": 0, "included_users": 2}, 106.0)
    assert not backlog.is_over(106.0 + QUIET_S - 0.1)
    assert backlog.is_over(106.0 + QUIET_S)
    assert (backlog.posts, backlog.new, backlog.reads) == (2, 1, {"posts": 1, "included_users": 4})
