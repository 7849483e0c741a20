"""Never more requests than the smaller of our limit and X's, whatever X announces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.errors import TraptorError
from traptor.supervisor.filters.sync.budget import RequestKind, RequestLimits, RuleBudget, load_budget
from traptor.supervisor.xapi.quota import Quota

LIST, CHANGE = RequestKind
WALL = 1_800_000_000.0
LIMITS = RequestLimits(lists=9, changes=5)
DAY_S = 86_400.0

QUOTAS = st.builds(
    Quota,
    limit=st.none() | st.sampled_from([0, 1, 3, 5, 40_000]),
    remaining=st.none() | st.integers(0, 5) | st.just(39_999),
    reset_at=st.none() | st.sampled_from([0.0, WALL - 50, WALL + 300, WALL + 3 * 3_600, WALL * 1_000]),
    retry_after_s=st.none() | st.sampled_from([0, 7, 10**11]),
)


@given(st.lists(st.tuples(QUOTAS, st.booleans()), max_size=30))
def test_no_window_holds_more_than_the_smaller_limit(answers: list[tuple[Quota, bool]]) -> None:
    budget, now = RuleBudget(LIMITS), 100.0
    spent: list[float] = []
    limit: int | None = None
    for quota, is_refused in answers:
        at = budget.free_at(CHANGE, now)
        assert now <= at <= now + DAY_S + LIMITS.window_s
        now = at
        budget = budget.spend(CHANGE, now)
        spent.append(now)
        most = LIMITS.changes if limit is None else min(LIMITS.changes, max(1, limit))
        assert sum(one > now - LIMITS.window_s for one in spent) <= most
        wall = WALL + now - 100.0
        step = budget.refused if is_refused else budget.told
        budget = step(CHANGE, quota, now, wall)
        limit = limit if quota.limit is None else quota.limit
        at = budget.free_at(CHANGE, now)
        if is_refused:
            assert at > now
        ahead = quota.reset_at is not None and quota.reset_at > wall
        if quota.remaining == 0 and not is_refused:
            assert at >= now + (min(quota.reset_at or 0, wall + DAY_S) - wall if ahead else 60)


@pytest.mark.parametrize(
    ("quota", "free_after_s"),
    [
        (Quota(), 60.0),
        (Quota(reset_at=WALL - 1), 60.0),
        (Quota(reset_at=WALL + 300), 300.0),
        (Quota(reset_at=WALL + 3 * 3_600), 3 * 3_600.0),
        (Quota(retry_after_s=7), 7.0),
        (Quota(reset_at=WALL + 300, retry_after_s=7), 300.0),
        (Quota(reset_at=WALL * 1_000), DAY_S),
    ],
)
def test_a_429_closes_the_window_until_x_says(quota: Quota, free_after_s: float) -> None:
    assert RuleBudget().refused(CHANGE, quota, 5.0, WALL).free_at(CHANGE, 5.0) == 5.0 + free_after_s


def test_refusals_in_a_row_wait_longer() -> None:
    budget, waits = RuleBudget(), []
    for _ in range(6):
        budget = budget.refused(CHANGE, Quota(), 0.0, WALL)
        waits.append(budget.free_at(CHANGE, 0.0))
    assert waits == [60, 120, 240, 480, 900, 900]


def test_kinds_are_counted_apart() -> None:
    budget = RuleBudget(LIMITS)
    for _ in range(5):
        budget = budget.spend(CHANGE, 10.0)
    assert budget.free_at(CHANGE, 20.0) == 910.0
    assert budget.free_at(LIST, 20.0) == 20.0


def test_requests_of_others_count_by_xs_count() -> None:
    budget = RuleBudget().spend(CHANGE, 0.0).told(CHANGE, Quota(100, 1, WALL + 500), 0.0, WALL)
    assert budget.free_at(CHANGE, 1.0) == 1.0
    assert budget.spend(CHANGE, 1.0).free_at(CHANGE, 2.0) == 500.0


@given(st.lists(st.floats(0, 1_000), max_size=8), st.floats(-500, 5_000))
def test_a_dump_keeps_what_was_spent(times: list[float], passed_s: float) -> None:
    budget, now = RuleBudget(LIMITS), 1_000.0
    for at in sorted(times):
        budget = budget.spend(CHANGE, at)
    dump = json.loads(json.dumps(budget.dump(now, WALL)))
    # The next master's clock began elsewhere; a wall clock that was set back lets no time pass.
    after = load_budget(dump, LIMITS, 50.0, WALL + passed_s)
    wait_before = budget.free_at(CHANGE, now) - now
    wait_after = after.free_at(CHANGE, 50.0) - 50.0
    assert wait_after == pytest.approx(max(0.0, wait_before - max(0.0, passed_s)), abs=1e-3)


@pytest.mark.parametrize(
    "dump", [{}, {"saved_at": "x", "windows": {}}, {"saved_at": 1, "windows": {"x": {}}}]
)
def test_what_is_no_dump_is_refused(dump: dict[str, object]) -> None:
    with pytest.raises(TraptorError, match="cannot be read"):
        load_budget(dump, LIMITS, 0.0, WALL)


# ---- gathering


@pytest.mark.parametrize("every_s", [0.5, 3.0, 8.0, 20.0])
def test_changes_at_any_pace_wait_for_seconds_and_never_for_the_window(every_s: float) -> None:
    """Each change is one that gathers with others while it waits."""
    budget, now, waits, wanted_at = RuleBudget(), 0.0, [], 0.0
    while now < 4 * 3_600.0:
        at = max(budget.free_at(CHANGE, now), budget.paced_at(CHANGE, now))
        if at > now:
            now = at
            continue
        waits.append(now - wanted_at)
        budget = budget.spend(CHANGE, now)
        wanted_at = (now // every_s + 1) * every_s  # the first that this request did not take along
        now = max(now, wanted_at)
    assert max(waits) <= 30.0
    assert max(waits[:50]) == 0.0, "while there are plenty none waits"


def test_after_a_burst_the_rest_is_spread_over_the_window() -> None:
    budget = RuleBudget()
    for _ in range(89):
        budget = budget.spend(CHANGE, 100.0)
    assert budget.paced_at(CHANGE, 100.0) == 100.0 + 900.0 / 12
    assert budget.paced_at(CHANGE, 300.0) == 300.0, "after a while of quiet the next goes at once"
    assert budget.paced_at(CHANGE, 1_100.0) == 1_100.0


def test_what_x_has_left_is_spread_until_its_reset() -> None:
    told = Quota(limit=100, remaining=9, reset_at=WALL + 600, answered_at=WALL)
    budget = RuleBudget().spend(CHANGE, 100.0).told(CHANGE, told, 100.0, WALL)
    assert budget.paced_at(CHANGE, 100.0) == 160.0
    plenty = Quota(limit=100, remaining=90, reset_at=WALL + 600, answered_at=WALL)
    assert budget.told(CHANGE, plenty, 100.0, WALL).paced_at(CHANGE, 100.0) == 100.0
