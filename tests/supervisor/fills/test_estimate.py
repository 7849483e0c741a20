"""The price of a gap, said beforehand."""

from __future__ import annotations

from traptor.supervisor.fills.estimate import Estimate, dollars_a_post, estimate, usual_rate
from traptor.supervisor.money.reads import Expand, Prices


def test_a_gap_costs_what_its_posts_cost() -> None:
    assert estimate(600, 2.5, Prices(), Expand.NONE) == Estimate(1500, 7.5)
    assert estimate(600, 2.5, Prices(), Expand.ALL) == Estimate(1500, 22.5)
    assert dollars_a_post(Prices(), Expand.ALL) == 0.030


def test_the_rate_is_that_of_the_last_hour_or_else_of_the_last_minute() -> None:
    assert usual_rate([1.0, 3.0], 9.0) == 2.0
    assert usual_rate([], 9.0) == 9.0
    assert usual_rate([], None) is None
