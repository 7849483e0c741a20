"""A master that starts composes what stands at X already, and changes nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.toyx import ToyX

from traptor.common.filters import FollowScope
from traptor.common.rules.rule import GroupId
from traptor.supervisor.filters.compose import compose
from traptor.supervisor.filters.composition import Allowance, Demand
from traptor.supervisor.filters.language.translate import translate
from traptor.supervisor.filters.sync.before import filters_before
from traptor.supervisor.filters.sync.goal import ForeignFilters, Goal
from traptor.supervisor.filters.sync.standing import Standing
from traptor.supervisor.filters.sync.steps import ListFilters, Settled, WaitForEffect, next_step

LEAVE, ADOPT = ForeignFilters.LEAVE, ForeignFilters.ADOPT
FOLLOW, TRACK, OTHER = (GroupId.parse(name) for name in ("follow:0", "track:0", "track:1"))
ALLOWANCE = Allowance(40, 120)
WORDS = st.sets(st.sampled_from([f"storm{number}" for number in range(60)]), max_size=50)
ACCOUNTS = st.sets(st.integers(1, 200), max_size=60)


def demand(group: GroupId, values: list[str], suffix: str = "") -> Demand:
    clauses = {translate(group.type, value, FollowScope.REPLIES).clause: (value,) for value in sorted(values)}
    return Demand(group, clauses, suffix)


@given(ACCOUNTS, WORDS, WORDS, st.sampled_from(["", "lang:en"]))
def test_a_restart_changes_nothing(
    accounts: set[int], words: set[str], others: set[str], suffix: str
) -> None:
    demands = [
        demand(FOLLOW, [*map(str, accounts)]),
        demand(TRACK, [*words], suffix),
        demand(OTHER, [*others]),
    ]
    composed = compose(demands, ALLOWANCE)
    goal = Goal.of(composed, "default", LEAVE, ALLOWANCE.filters)
    x, standing = ToyX(), Standing()
    while not isinstance(step := next_step(standing, goal, 1_000.0), Settled | WaitForEffect):
        standing = x.carry_out(step, standing, 1_000.0)
    standing = x.carry_out(ListFilters(), Standing(), 2_000.0)
    before = filters_before(standing, Goal("default", {}, LEAVE), demands)
    again = Goal.of(compose(demands, ALLOWANCE, before), "default", LEAVE, ALLOWANCE.filters)
    assert isinstance(next_step(standing, again, 2_000.0), Settled)


def test_foreign_filters_are_taken_over_only_where_they_are_adopted() -> None:
    x = ToyX()
    x.put("storm1 OR storm2", "somebody's")
    standing = Standing().listed(list(x.filters.values()), 0.0)
    demands = [demand(TRACK, ["storm1", "storm2"])]
    assert filters_before(standing, Goal("default", {}, LEAVE), demands) == ()
    [one] = filters_before(standing, Goal("default", {}, ADOPT), demands)
    assert (one.text, one.group) == ("storm1 OR storm2", TRACK)


def test_a_filter_of_which_nothing_is_wanted_is_left_out() -> None:
    x = ToyX()
    x.put("storm9", "traptor/default/track:0/1")
    standing = Standing().listed(list(x.filters.values()), 0.0)
    assert filters_before(standing, Goal("default", {}), [demand(TRACK, ["storm1"])]) == ()
