"""An app's filters are composed anew only where something that they follow from has changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.appworld import group_of

from traptor.common.rules.rule import RuleType
from traptor.supervisor.apps.wanted.composed import AppLimits, composed
from traptor.supervisor.apps.wanted.translated import Translated
from traptor.supervisor.filters.composition import Demand
from traptor.supervisor.filters.sync.difference import difference
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


def with_suffix(suffix: str, *words: str) -> Translated:
    group = group_of("track:0", *words)
    return replace(group, demand=Demand(group.demand.group, group.demand.clauses, suffix))


def refused(*values: str) -> Standing:
    standing = Standing().listed([ListedFilter("8", "storm", "traptor/default/track:0/1")], 0.0)
    return replace(standing, refused=dict.fromkeys(values, Refusal("no such operator", 10.0)))


def test_a_suffix_that_x_takes_with_no_clause_is_the_reason_for_all_its_rules() -> None:
    words = ("storm", "flood", "hail", "snow", "rain")
    group = with_suffix("is:retwet", *words)
    standing = refused(*(f"({word}) is:retwet" for word in words[:3]))
    found = composed([group, GROUPS[1]], LIMITS, standing, 1.0)
    why = "[traptor] suffix `is:retwet`: no such operator"
    assert found.suffixes == {"is:retwet": why}
    assert {rule.reason for rule in found.refused} == {why}
    assert len(found.refused) == len(words)
    assert [one.group.type for one in found.composition.filters] == [RuleType.FOLLOW]
    kept = difference(standing, found.goal, 1.0).kept
    assert [one.value for one in kept] == ["storm"], "what was to replace it is refused"


def test_a_suffix_of_one_rule_is_named_with_it() -> None:
    found = composed([with_suffix("is:x", "storm")], LIMITS, refused("(storm) is:x"), 1.0)
    assert [rule.reason for rule in found.refused] == ["[traptor] suffix `is:x`: no such operator"]


def test_a_suffix_that_another_filter_has_is_not_the_reason() -> None:
    words = ("storm", "flood", "hail", "snow")
    standing = refused(*(f"({word}) lang:en" for word in words[:3]))
    standing = standing.listed([ListedFilter("9", "(snow) lang:en", "traptor/default/track:0/2")], 0.5)
    found = composed([with_suffix("lang:en", *words)], LIMITS, standing, 1.0)
    assert not found.suffixes
    assert [rule.reason for rule in found.refused] == ["no such operator"] * 3
