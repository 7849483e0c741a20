"""An app's filters are composed anew only where something that they follow from has changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.appworld import group_of

from traptor.supervisor.apps.wanted.composed import AppLimits, composed
from traptor.supervisor.filters.sync.standing import Refusal, Standing
from traptor.supervisor.xapi.answers import ListedFilter

LIMITS = AppLimits("default", filters=40)
GROUPS = (group_of("track:0", "storm", "flood"), group_of("follow:0", "12", "34"))
FOREIGN = Standing().listed([ListedFilter("7", "kittens", "somebody's")], 0.0)
REFUSED = replace(Standing(), refused={"storm": Refusal("no", 10.0)})
OURS = Standing().listed([ListedFilter("8", "storm", "traptor/default/track:0/1")], 0.0)


@pytest.mark.parametrize(
    ("standing", "now"), [(Standing(), 1.0), (OURS, 1.0), (OURS.doubted(), 1.0), (REFUSED, 10.0)]
)
def test_where_nothing_has_changed_that_matters_the_composition_is_the_same(
    standing: Standing, now: float
) -> None:
    before = composed(GROUPS, LIMITS, Standing(), 0.0)
    assert composed(list(GROUPS), LIMITS, standing, now, before) is before


@pytest.mark.parametrize(
    ("groups", "limits", "standing", "texts"),
    [
        ((group_of("track:0", "hail"), GROUPS[1]), LIMITS, Standing(), {"hail"}),
        (GROUPS, replace(LIMITS, collection="other"), Standing(), {"storm", "flood"}),
        (GROUPS, LIMITS, FOREIGN, {"storm", "flood"}),
        (GROUPS, LIMITS, REFUSED, {"flood"}),
    ],
)
def test_whatever_else_changes_is_composed_anew(
    groups: tuple[object, ...], limits: AppLimits, standing: Standing, texts: set[str]
) -> None:
    before = composed(GROUPS, LIMITS, Standing(), 0.0)
    now = composed(groups, limits, standing, 1.0, before)  # type: ignore[arg-type]
    assert now is not before
    follow = {one.text for one in now.composition.filters if one.is_packed}
    assert now.goal.groups.keys() - follow == texts
    assert (now.single, now.packed, now.goal.collection) == (len(texts), 1, limits.collection)
    assert now.basis.allowance is not None
    assert now.basis.allowance.filters == 40 - len(standing.filters)


def test_a_clause_that_x_refused_alone_is_left_out_until_it_is_tried_again() -> None:
    without = composed(GROUPS, LIMITS, REFUSED, 1.0)
    assert [(rule.key, rule.reason) for rule in without.refused] == [("traptor-track:0:0", "no")]
    again = composed(GROUPS, LIMITS, REFUSED, 10.0, without)
    assert not again.refused
    assert "storm" in again.goal.groups
