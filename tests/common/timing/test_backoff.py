"""Waits grow by doubling, and jitter only adds."""

import random

from hypothesis import given
from hypothesis import strategies as st

from traptor.common.timing.backoff import doubled, extra


@given(st.floats(0.001, 1e6), st.integers(0, 10**9), st.floats(0.001, 1e6))
def test_doubling_stays_within_its_cap(first: float, times: int, longest: float) -> None:
    wait = doubled(first, times, longest)
    assert min(first, longest) <= wait <= longest
    assert doubled(first, times + 1, longest) >= wait


@given(st.floats(0, 1e6), st.integers())
def test_jitter_is_between_nothing_and_a_quarter(step: float, seed: int) -> None:
    assert 0 <= extra(step, random.Random(seed)) <= step / 4
