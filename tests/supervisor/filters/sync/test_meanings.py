"""Workers are told what each filter stands for, old ones too; and what a restart remembers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.toyx import ToyX

from traptor.common.errors import TraptorError
from traptor.common.filters import FollowScope, Meaning
from traptor.common.rules.rule import GroupId
from traptor.supervisor.filters.composition import Demand
from traptor.supervisor.filters.language.clauses import FollowClause, filter_text
from traptor.supervisor.filters.language.translate import translate
from traptor.supervisor.filters.sync.difference import difference
from traptor.supervisor.filters.sync.goal import ForeignFilters, Goal
from traptor.supervisor.filters.sync.meanings import Meanings, meanings
from traptor.supervisor.filters.sync.memory import changed_pieces, load_standing
from traptor.supervisor.filters.sync.standing import Gone, Refusal, Standing
from traptor.supervisor.filters.sync.steps import WaitForEffect, next_step
from traptor.supervisor.xapi.answers import ListedFilter

TRACK = GroupId.parse("track:0")
WALL = 1_800_000_000.0


def demand(*values: str, group: GroupId = TRACK) -> Demand:
    return Demand(group, {translate(group.type, value).clause: (value,) for value in values})


def goal(*values: str) -> Goal:
    return Goal("default", dict.fromkeys(values, "track:0"), ForeignFilters.LEAVE)


def standing(*values: str, tag: str = "traptor/default/track:0/1") -> Standing:
    x = ToyX()
    for value in values:
        x.put(value, tag)
    return Standing().listed(list(x.filters.values()), 0.0)


def told(found: Meanings) -> tuple[Meaning, ...]:
    return tuple(one for of_filter in found.by_filter.values() for one in of_filter)


def test_single_and_packed_filters_and_two_groups() -> None:
    other = demand("b", group=GroupId.parse("track:1"))
    demands = [demand("a", "b", "c"), other]
    found = meanings(difference(standing("a", "b OR c"), goal("a", "b OR c"), 0.0), demands, Meanings(), 1.0)
    assert told(found) == (
        Meaning("100", "track:0", ("a",), is_packed=False),
        Meaning("101", "track:0", ("b", "c"), is_packed=True),
        Meaning("101", "track:1", ("b",), is_packed=True),
    )


def test_accounts_of_narrow_scopes_are_told_with_them() -> None:
    clauses = {FollowClause("7", FollowScope.AUTHOR): ("7",), FollowClause("9", FollowScope.FULL): ("9",)}
    follow = Demand(GroupId.parse("follow:0"), clauses)
    narrow, full = filter_text(list(clauses)), "from:9 OR to:9 OR retweets_of:9"
    found = meanings(difference(standing(narrow, full), goal(narrow, full), 0.0), [follow], Meanings(), 1.0)
    assert told(found) == (
        Meaning("100", "follow:0", ("7", "9"), True, (FollowScope.AUTHOR, FollowScope.FULL)),
        Meaning("101", "follow:0", ("9",), is_packed=False),
    )
    again = meanings(difference(standing(narrow), goal(narrow), 0.0), [follow], found, 2.0)
    assert told(again) == told(found)[:1]


def test_a_changed_rule_keeps_what_its_filter_stood_for_until_a_minute_after() -> None:
    before = meanings(difference(standing("old"), goal("old"), 0.0), [demand("old")], Meanings(), 1.0)
    after = standing("old").deleted(["100"], 100.0, found_all=True)
    assert told(meanings(difference(after, goal("new"), 0.0), [demand("new")], before, 159.0)) == told(before)
    assert told(meanings(difference(after, goal("new"), 0.0), [demand("new")], before, 160.0)) == ()


def test_a_filter_that_stays_stands_for_a_rule_that_left_for_a_minute_more() -> None:
    """Two groups want the same filter: it stays for one of them when the other wants it no more."""
    there, other = difference(standing("storm"), goal("storm"), 0.0), GroupId.parse("track:1")
    found = meanings(there, [demand("storm"), demand("storm", group=other)], Meanings(), 1.0)
    both, one = ["track:0", "track:1"], ["track:0"]
    for at, groups in ((100.0, both), (159.0, both), (160.0, one), (500.0, one)):
        found = meanings(there, [demand("storm"), demand(group=other)], found, at)
        assert [meaning.group for meaning in told(found)] == groups
        assert found.next_end(at) == (160.0 if groups is both else None)


def test_a_filter_that_is_to_go_stands_for_what_it_stood_for_as_long_as_it_is_there() -> None:
    before = meanings(
        difference(standing("a OR b"), goal("a OR b"), 0.0), [demand("a", "b")], Meanings(), 1.0
    )
    there = difference(standing("a OR b"), goal("a"), 0.0)  # X takes no change now
    found = meanings(there, [demand("a")], before, 100.0)
    assert told(meanings(there, [demand("a")], found, 5_000.0)) == told(before)


SEVERAL = st.sets(st.sampled_from(["a", "b", "c", "d"]), min_size=1)


@given(st.lists(st.tuples(SEVERAL, SEVERAL, st.booleans()), min_size=1, max_size=6))
def test_what_is_not_worked_out_again_is_what_it_would_be(
    steps: list[tuple[set[str], set[str], bool]],
) -> None:
    x, at_x, found = ToyX(), Standing(), Meanings()
    for number, (values, others, is_packed) in enumerate(steps):
        texts = [" OR ".join(sorted(values))] if is_packed else sorted(values)
        x.put(texts[0], "traptor/default/track:0/1")
        at_x = at_x.listed(list(x.filters.values()), float(number))
        demands = [demand(*sorted(values)), demand(*sorted(others), group=GroupId.parse("track:1"))]
        anew = meanings(
            difference(at_x, goal(*texts), 0.0), demands, Meanings(found.by_filter), float(number)
        )
        found = meanings(difference(at_x, goal(*texts), 0.0), demands, found, float(number))
        assert found == anew


def test_a_foreign_filter_means_nothing_unless_it_is_used() -> None:
    foreign = standing("a", "b", tag="somebody's")
    found = meanings(difference(foreign, goal("a"), 0.0), [demand("a", "b")], Meanings(), 1.0)
    assert [one.filter_id for one in told(found)] == ["100"]


def test_a_restart_remembers_effects_refusals_and_what_was_taken() -> None:
    known = standing("a", "b").seen("100", 5.0)
    known = known.halved(["bad"], Refusal("no", 3_610.0)).deleted(["101"], 10.0, found_all=True)
    dump = json.loads(json.dumps(changed_pieces(Standing(), known, 10.0, WALL)))
    after = load_standing(dump, 500.0, WALL + 2)
    assert not after.is_fresh
    assert after.refused == {"bad": Refusal("no", 10.0 + 3_600 + 488)}
    assert after.was_taken("a")
    assert after.effect_at == {"100": 493.0}
    assert after.known(500.0) == {"101": ListedFilter("101", "b")}
    listed = after.listed(list(known.filters.values()), 500.0)
    assert listed.is_in_effect("100", 500.0)


def test_after_a_restart_an_old_filter_stays_until_the_new_one_is_in_effect() -> None:
    known = standing("a OR b", "a")
    wait = next_step(known, goal("a"), 1.0)
    assert wait == WaitForEffect(20.0)
    after = load_standing(changed_pieces(Standing(), known, 1.0, WALL), 0.0, WALL)
    assert next_step(after.listed(list(known.filters.values()), 0.0), goal("a"), 0.0) == WaitForEffect(19.0)


def test_a_clock_that_was_set_back_stops_nothing_for_long() -> None:
    dump = changed_pieces(Standing(), standing("a"), 0.0, WALL)
    dump["effect_at/100"] = WALL * 2
    assert load_standing(dump, 7.0, WALL).effect_at == {"100": 67.0}


def test_what_is_no_dump_is_refused() -> None:
    with pytest.raises(TraptorError, match="cannot be read"):
        load_standing({"taken/a": 7}, 0.0, WALL)


STANDINGS = st.builds(
    Standing,
    effect_at=st.dictionaries(st.sampled_from("ab"), st.sampled_from([1.0, 2.0])),
    gone=st.dictionaries(st.sampled_from("ab"), st.sampled_from([Gone("x", 1.0), Gone("x", 2.0)])),
    same_as=st.dictionaries(st.sampled_from("ab"), st.sampled_from("12")),
    refused=st.dictionaries(
        st.sampled_from(["a", "b/c"]), st.sampled_from([Refusal("no", 1.0), Refusal("no", 2.0)])
    ),
    taken=st.dictionaries(st.sampled_from("ab"), st.none()),
)


@given(st.lists(STANDINGS, max_size=5))
def test_what_is_saved_of_each_change_is_together_what_is_known(all_of: list[Standing]) -> None:
    kept: dict[str, object] = {}
    before = Standing()
    for one in all_of:
        kept |= json.loads(json.dumps(changed_pieces(before, one, 10.0, WALL)))
        assert not changed_pieces(one, one, 11.0, WALL + 1)
        before = one
    known = {name: piece for name, piece in kept.items() if piece is not None}
    assert load_standing(known, 10.0, WALL) == before
