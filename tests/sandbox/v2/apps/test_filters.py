"""Filters act some time after a change, in the order of the changes."""

from hypothesis import given
from hypothesis import strategies as st

from traptor.sandbox.clock import Instant
from traptor.sandbox.v2.apps.filters import FilterSet
from traptor.sandbox.v2.language.facts import Content, Facts
from traptor.sandbox.v2.language.rule import parse_rule

EFFECT_S = 20.0
FLOOD = Facts("1", (Content(("flood",)),))


def at(seconds):
    return Instant(1000.0 + seconds, seconds)


def found(filters, seconds):
    return [filter_id for filter_id, _ in filters.matching(FLOOD, seconds)]


def test_a_filter_acts_from_its_effect_to_that_of_its_end():
    filters = FilterSet()
    one = filters.add("1", parse_rule("flood"), "t", at(0), EFFECT_S)
    assert (len(filters), found(filters, 19.9), found(filters, 20.0)) == (1, [], ["1"])
    filters.remove([one], at(30), EFFECT_S)
    assert (len(filters), found(filters, 49.9), found(filters, 50.0)) == (0, ["1"], [])
    assert filters.is_silent(50.0)
    assert (one.in_effect_at, one.gone_at) == (1020.0, 1050.0)


def test_a_filter_that_ends_before_its_effect_acts_for_a_while():
    filters = FilterSet()
    one = filters.add("1", parse_rule("flood"), None, at(0), EFFECT_S)
    filters.remove([one], at(5), EFFECT_S)
    assert [found(filters, seconds) for seconds in (19, 20, 24, 25)] == [[], ["1"], ["1"], []]


def test_old_and_new_overlap_when_one_is_added_before_the_other_ends():
    filters = FilterSet()
    old = filters.add("1", parse_rule("flood"), "a", at(0), 0)
    filters.add("2", parse_rule("flood OR hail"), "b", at(10), EFFECT_S)
    filters.remove([old], at(11), EFFECT_S)
    assert [found(filters, seconds) for seconds in (29, 30, 31)] == [["1"], ["1", "2"], ["2"]]


def test_vanished_filters_find_nothing_from_now_on():
    filters = FilterSet()
    filters.add("1", parse_rule("flood"), None, at(0), 0)
    filters.add("2", parse_rule("flood hail"), None, at(1), EFFECT_S)
    assert filters.vanish(at(2)) == 2
    assert (found(filters, 60), filters.listed(), filters.with_value("flood")) == ([], [], None)
    assert [one.gone_at for one in filters.record] == [1002.0, 1002.0]


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "remove"]), st.integers(0, 3), st.integers(0, 15)), max_size=30
    )
)
def test_what_acts_is_what_was_listed_one_effect_ago(steps):
    filters, now, listed_at = FilterSet(), 0, {}
    for number, (kind, which, wait) in enumerate(steps):
        now += wait
        value = f"flood OR word{which}"
        there = filters.with_value(value)
        if kind == "add" and there is None:
            filters.add(str(number), parse_rule(value), None, at(now), EFFECT_S)
        if kind == "remove" and there is not None:
            filters.remove([there], at(now), EFFECT_S)
        listed_at[now] = [one.id for one in filters.listed()]
    for then, expected in listed_at.items():
        assert sorted(found(filters, then + EFFECT_S)) == sorted(expected)
