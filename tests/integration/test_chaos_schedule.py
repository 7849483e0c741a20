"""What the chaos does when: fixed by the seed, and never what could not be judged afterwards."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice, pairwise

from chaos_parts.schedule import HABITS, Disturbance, Kind, Target, schedule
from hypothesis import given, settings
from hypothesis import strategies as st

SEEDS, PACES = st.integers(0, 2**32), st.floats(0.5, 20.0)


def some(seed: int, every_s: float, count: int = 200) -> list[Disturbance]:
    return list(islice(schedule(seed, every_s), count))


@given(SEEDS, PACES)
@settings(deadline=None, max_examples=50)
def test_the_same_seed_does_the_same_at_the_same_times(seed: int, every_s: float) -> None:
    assert some(seed, every_s) == some(seed, every_s)


def test_another_seed_does_something_else() -> None:
    assert some(1, 5.0) != some(2, 5.0)


@given(SEEDS, PACES)
@settings(deadline=None, max_examples=50)
def test_disturbances_come_one_after_the_other_and_each_chooses_its_victims(
    seed: int, every_s: float
) -> None:
    found = some(seed, every_s)
    assert all(earlier.at_s < later.at_s for earlier, later in pairwise(found))
    assert all(0 <= lot < 1 for one in found for lot in (one.lot, one.second_lot))
    assert all(0 <= one.lasts_s <= HABITS[one.kind].lasts_s[1] for one in found)


@given(SEEDS, PACES)
@settings(deadline=None, max_examples=50)
def test_what_is_down_or_stopped_is_left_alone_until_it_is_up_again(seed: int, every_s: float) -> None:
    by_target: dict[Target, list[Disturbance]] = defaultdict(list)
    for one in some(seed, every_s):
        target = HABITS[one.kind].target
        if target is not None:
            by_target[target].append(one)
    for disturbances in by_target.values():
        for earlier, later in pairwise(disturbances):
            assert later.at_s >= earlier.ends_s + HABITS[earlier.kind].rest_s


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_nothing_is_rare_over_half_an_hour(seed: int) -> None:
    in_time = [one for one in some(seed, 5.0, 1000) if one.at_s < 1800]
    counts = Counter(one.kind for one in in_time)
    assert all(counts[kind] >= 8 for kind in Kind)
    assert 250 <= len(in_time) <= 400


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_a_short_run_meets_every_kind(seed: int) -> None:
    assert {one.kind for one in some(seed, 2.0) if one.at_s < 130} == set(Kind)


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_a_supervisor_that_was_killed_is_followed_at_once_or_later(seed: int) -> None:
    pauses = [one.lasts_s for one in some(seed, 5.0, 1000) if one.kind is Kind.KILL_SUPERVISOR]
    assert min(pauses) == 0.0
    assert max(pauses) > 3.0
