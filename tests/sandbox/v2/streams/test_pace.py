"""A stream gets at most so many posts a second."""

from hypothesis import given
from hypothesis import strategies as st

from traptor.sandbox.v2.streams.stream import Pace


@given(st.integers(1, 300), st.lists(st.floats(0, 0.2), max_size=300))
def test_no_second_has_more_than_twice_the_rate(rate, waits):
    """A quiet second may be made up for; beyond that the rate holds."""
    now, taken, pace = 0.0, [], Pace(rate, 0.0)
    for wait in waits:
        now += wait
        if pace.allows(now):
            taken.append(now)
    for start in taken:
        assert len([one for one in taken if start <= one < start + 1]) <= 2 * rate + 1
    assert len(taken) <= rate * (now + 1) + 1


def test_at_the_rate_nothing_is_left_out():
    pace = Pace(250, 0.0)
    assert all(pace.allows(number / 250) for number in range(2000))


def test_rate_0_lets_everything_through():
    pace = Pace(0, 0.0)
    assert all(pace.allows(0.0) for _ in range(1000))
