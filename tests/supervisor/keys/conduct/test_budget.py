"""The budget of connects."""

from hypothesis import given
from hypothesis import strategies as st

from traptor.supervisor.keys.conduct.budget import Budget, Purpose, reserve
from traptor.supervisor.keys.conduct.limits import PoolLimits

LIMITS = PoolLimits(connects=5, connects_window=300.0)


def spent(*times: float, limits: PoolLimits = LIMITS) -> Budget:
    budget = Budget()
    for at in times:
        budget = budget.spend(limits, at)
    return budget


def test_an_unused_budget_is_free_for_everything() -> None:
    assert [Budget().free_at(purpose, LIMITS, 7.0) for purpose in Purpose] == [7.0, 7.0, 7.0]
    assert Budget().left(LIMITS, 7.0) == 5


def test_a_connect_that_arrives_late_still_fits_into_the_servers_window() -> None:
    """The server counts it when it comes: here up to 3 s after it was allowed."""
    limits = PoolLimits(connects=1, connects_window=300.0, arrival_s=3.0)
    budget = Budget().spend(limits, 1000.0)  # arrives at 1003
    assert budget.free_at(Purpose.FRESH, limits, 1001.0) == 1303.0
    assert budget.left(limits, 1302.9) == 0


def test_a_connect_counts_for_the_window_and_is_free_right_at_its_end() -> None:
    budget = spent(0.0, 1.0, 2.0, 3.0, 4.0)
    assert budget.left(LIMITS, 299.9) == 0
    assert budget.free_at(Purpose.FRESH, LIMITS, 299.9) == 300.0
    assert budget.left(LIMITS, 300.0) == 1
    assert budget.free_at(Purpose.FRESH, LIMITS, 300.0) == 300.0


def test_a_refresh_leaves_the_last_two_for_recovery() -> None:
    assert spent(0.0, 1.0).free_at(Purpose.REFRESH, LIMITS, 2.0) == 2.0
    three = spent(0.0, 1.0, 2.0)
    assert three.left(LIMITS, 3.0) == 2
    assert three.free_at(Purpose.FRESH, LIMITS, 3.0) == 3.0
    assert three.free_at(Purpose.REFRESH, LIMITS, 3.0) == 300.0
    assert spent(0.0, 1.0, 2.0, 3.0, 4.0).free_at(Purpose.REFRESH, LIMITS, 5.0) == 302.0


def test_a_fill_leaves_half_for_the_stream() -> None:
    limits = PoolLimits(connects=50, connects_window=900.0)
    budget = spent(*map(float, range(24)), limits=limits)
    assert budget.free_at(Purpose.FILL, limits, 30.0) == 30.0
    budget = budget.spend(limits, 30.0)
    assert budget.free_at(Purpose.FILL, limits, 31.0) == 900.0
    assert budget.free_at(Purpose.REFRESH, limits, 31.0) == 31.0


def test_a_tiny_budget_still_allows_refreshes_and_fills() -> None:
    for connects in (1, 2, 3):
        limits = PoolLimits(connects=connects)
        assert reserve(Purpose.REFRESH, limits) == connects - 1
        assert Budget().free_at(Purpose.REFRESH, limits, 0.0) == 0.0
        assert Budget().free_at(Purpose.FILL, limits, 0.0) == 0.0


def test_a_lowered_limit_counts_what_was_spent() -> None:
    budget, lower = spent(0.0, 1.0, 2.0, 3.0), PoolLimits(connects=2)
    assert budget.left(lower, 4.0) == 0
    assert budget.free_at(Purpose.FRESH, lower, 4.0) == 302.0


@given(
    st.integers(1, 8),
    st.lists(st.tuples(st.sampled_from(Purpose), st.integers(0, 400)), max_size=60),
)
def test_no_window_ever_holds_more_connects_than_allowed(
    connects: int, tries: list[tuple[Purpose, int]]
) -> None:
    limits = PoolLimits(connects=connects, connects_window=300.0)
    budget, now, made = Budget(), 0.0, []
    for purpose, wait in tries:
        now += wait
        if budget.free_at(purpose, limits, now) > now:
            continue
        budget = budget.spend(limits, now)
        made.append(now)
        if purpose is Purpose.REFRESH:
            assert budget.left(limits, now) >= min(2, connects - 1)
    for start in made:
        assert len([at for at in made if start <= at < start + 300.0]) <= connects


@given(st.lists(st.integers(0, 900), max_size=8), st.integers(0, 900), st.sampled_from(Purpose))
def test_free_at_is_the_first_moment_that_is_free(times: list[int], now: int, purpose: Purpose) -> None:
    budget = spent(*sorted(float(at) for at in times if at <= now))
    free_at = budget.free_at(purpose, LIMITS, float(now))
    assert budget.free_at(purpose, LIMITS, free_at) == free_at
    if free_at > now:
        just_before = (free_at + now) / 2
        assert budget.free_at(purpose, LIMITS, just_before) == free_at


def test_a_connect_that_reached_nobody_is_given_back() -> None:
    """Only the latest: the ones before it did reach the server."""
    budget = Budget().spend(LIMITS, 1.0).spend(LIMITS, 2.0)
    assert budget.refund().connects == (1.0,)
    assert Budget().refund() == Budget()
