"""The rules that filters find posts for: what was read before is not read again, and nothing else differs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.appworld import group_of

from traptor.supervisor.apps.wanted.effect import InEffect, in_effect
from traptor.supervisor.apps.wanted.translated import Wording
from traptor.supervisor.filters.sync.standing import EFFECT_S, Standing
from traptor.supervisor.xapi.answers import ListedFilter

GROUPS = [
    group_of("track:0", "storm", "flood"),
    group_of("track:1", "storm", wording=Wording(suffix="lang:en")),
]
VALUES = ["storm", "flood", "storm OR flood", "(storm) lang:en", "-no filter of ours"]
LISTS = st.dictionaries(st.sampled_from("1234"), st.sampled_from(VALUES))


def listed(of: dict[str, str]) -> list[ListedFilter]:
    return [ListedFilter(key, value) for key, value in of.items()]


@given(st.lists(st.tuples(LISTS, st.floats(0.0, 3 * EFFECT_S)), max_size=5))
def test_what_is_not_read_again_is_what_it_would_be(looks: list[tuple[dict[str, str], float]]) -> None:
    standing, found, now = Standing(), InEffect(), 0.0
    for of, later_s in looks:
        standing = standing.listed(listed(of), now)
        found = in_effect(GROUPS, standing, now, found)
        assert found == in_effect(GROUPS, standing, now)
        now += later_s
        found = in_effect(GROUPS, standing, now, found)
        assert found == in_effect(GROUPS, standing, now)


def test_a_group_without_a_rule_in_effect_tells_when_its_first_filter_is() -> None:
    first, second = (group.group for group in GROUPS)
    standing = (
        Standing().listed(listed({"1": "storm"}), 0.0).listed(listed({"1": "storm", "2": "flood"}), 5.0)
    )
    found = in_effect(GROUPS, standing, 6.0)
    assert (found.acting, found.acts_at) == ({first: EFFECT_S}, EFFECT_S)
    standing = standing.listed(listed({"1": "storm", "2": "flood", "3": "(storm) lang:en"}), EFFECT_S)
    found = in_effect(GROUPS, standing, EFFECT_S, found)
    assert found.groups == {first}
    assert found.acting == {second: 2 * EFFECT_S}, "a group that is collected waits for nothing"
    assert in_effect(GROUPS, standing, 2 * EFFECT_S, found).acts_at is None


def test_a_rule_counts_as_long_as_one_of_several_filters_says_it() -> None:
    standing = Standing().listed(listed({"1": "storm", "2": "storm OR flood"}), 0.0)
    found = in_effect(GROUPS, standing, EFFECT_S)
    assert len(found.rules) == 2
    without = standing.deleted(["2"], EFFECT_S, found_all=True)
    found = in_effect(GROUPS, without, EFFECT_S, found)
    assert [rule.values for rule in found.rules] == [("storm",)]
    assert found.groups == {GROUPS[0].group}
