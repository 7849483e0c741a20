"""From the rules of groups to the queries that find the posts which a gap lacks."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.errors import TraptorError
from traptor.common.filters import FollowScope
from traptor.common.rules.rule import GroupId, Rule
from traptor.supervisor.apps.wanted.translated import Translated, Wording, translated
from traptor.supervisor.fills.pieces.queries import (
    MOST_CHARACTERS,
    QUERY,
    Plan,
    dump_plan,
    load_plan,
    plan_of,
)
from traptor.supervisor.filters.language.reading import read_filter
from traptor.supervisor.rules.snapshot import Snapshot


def rule(group: str, *values: str, **fields: str) -> Rule:
    rule_id = "-".join(values)
    written = {"rule_id": rule_id, **fields}
    return Rule(
        f"traptor-{group}:{rule_id}", rule_id, GroupId.parse(group), values, json.dumps(written).encode()
    )


def group(*rules: Rule, suffix: str = "") -> Translated:
    return translated(Snapshot.of(rules[0].group, rules, 0.0), Wording(suffix=suffix))


def all_of(*groups: Translated) -> Plan:
    return plan_of(groups, lambda _key: True)


def test_clauses_of_all_groups_share_a_query_and_are_told_apart_by_their_values() -> None:
    [query] = all_of(group(rule("track:0", "storm")), group(rule("follow:1", "12"))).queries
    assert query.text == "storm OR from:12 OR to:12 OR retweets_of:12"
    told = [(one.filter_id, one.group, one.values, one.is_packed) for one in query.meanings]
    assert told == [(QUERY, "track:0", ("storm",), True), (QUERY, "follow:1", ("12",), True)]


def test_a_query_of_one_clause_names_its_rules_by_itself() -> None:
    [query] = all_of(group(rule("track:0", "storm"))).queries
    assert not query.meanings[0].is_packed


def test_a_narrow_scope_goes_along() -> None:
    [query] = all_of(group(rule("follow:1", "12", scope="author"), rule("follow:1", "13"))).queries
    assert query.meanings[0].scopes == (FollowScope.AUTHOR, FollowScope.FULL)


def test_groups_with_different_suffixes_share_no_query() -> None:
    found = all_of(group(rule("track:0", "storm"), suffix="lang:en"), group(rule("track:1", "flood")))
    assert [one.text for one in found.queries] == ["(storm) lang:en", "flood"]


@pytest.mark.parametrize(
    "suffix", ["sample:10", "lang:en -bio:doctor", "bio_name:ann", "lang:en bio_location:oslo"]
)
def test_what_x_cannot_search_is_named(suffix: str) -> None:
    found = all_of(group(rule("track:0", "storm"), suffix=suffix), group(rule("track:1", "flood")))
    assert [one.text for one in found.queries] == ["flood"]
    assert len(found.missed) == 1
    assert found.missed[0].startswith("track:0: ")


def test_only_rules_of_that_time_are_searched() -> None:
    both = group(rule("track:0", "storm"), rule("track:0", "flood"))
    found = plan_of([both], {"traptor-track:0:flood"}.__contains__)
    assert [one.text for one in found.queries] == ["flood"]


WORDS = st.lists(st.text("abcdefgh", min_size=1, max_size=50), unique=True, min_size=1, max_size=120)


@given(words=WORDS, suffix=st.sampled_from(["", "lang:en -is:retweet"]))
def test_every_clause_stands_in_one_query_none_is_too_long_and_no_two_fit_into_one(
    words: list[str], suffix: str
) -> None:
    found = group(*(rule("track:0", word) for word in words), suffix=suffix)
    queries = all_of(found).queries
    read = [read_filter(one.text) for one in queries]
    clauses = [clause for one in read if one is not None for clause in one.clauses]
    assert sorted(map(str, clauses)) == sorted(map(str, found.demand.clauses))
    lengths = [len(one.text) for one in queries]
    assert max(lengths) <= MOST_CHARACTERS
    for one, other in itertools.pairwise(queries):
        first = str(read_filter(other.text).clauses[0])  # type: ignore[union-attr]
        assert len(one.text) + len(" OR ") + len(first) > MOST_CHARACTERS


def test_a_plan_is_the_same_after_a_restart() -> None:
    plan = all_of(group(rule("track:0", "storm"), rule("track:0", "嵐")), group(rule("follow:1", "12")))
    assert load_plan(dump_plan(plan)) == plan
    with pytest.raises(TraptorError, match="cannot be read"):
        load_plan(b"\xc1")
