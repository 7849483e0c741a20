"""From the rules of a group to the clauses that an app needs for them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.filters import FollowScope
from traptor.common.rules.rule import GroupId, Rule
from traptor.supervisor.apps.wanted.translated import Translated, Wording, translated
from traptor.supervisor.filters.language.clauses import FollowClause
from traptor.supervisor.filters.language.differences import Difference
from traptor.supervisor.rules.snapshot import Snapshot

AUTHOR, REPLIES, FULL = FollowScope


def rule(group: str, rule_id: str, *values: str, **fields: str) -> Rule:
    written = {"rule_id": rule_id, "value": ",".join(values), **fields}
    return Rule(
        f"traptor-{group}:{rule_id}", rule_id, GroupId.parse(group), values, json.dumps(written).encode()
    )


def said(*rules: Rule, wording: Wording | None = None) -> Translated:
    return translated(Snapshot.of(rules[0].group, rules, 0.0), wording or Wording())


def scopes(found: Translated) -> dict[str, FollowScope]:
    return {value: one.scope for value, one in found.clauses.items() if isinstance(one, FollowClause)}


@pytest.mark.parametrize(
    ("written", "scope"),
    [("author", AUTHOR), (" Replies ", REPLIES), ("full", FULL), ("", REPLIES), ("public", REPLIES)],
)
def test_a_rule_may_have_a_scope_of_its_own(written: str, scope: FollowScope) -> None:
    found = said(rule("follow:0", "a", "12", scope=written), wording=Wording(REPLIES))
    assert scopes(found) == {"12": scope}
    assert [one.key for one in found.doubts] == (["traptor-follow:0:a"] if written == "public" else [])


def test_the_widest_scope_of_a_shared_account_counts() -> None:
    rules = [rule("follow:0", str(n), "12", scope=scope) for n, scope in enumerate(("author", "full", ""))]
    assert scopes(said(*rules, wording=Wording(AUTHOR))) == {"12": FULL}


def test_a_rule_that_x_cannot_express_is_left_out_as_a_whole() -> None:
    found = said(rule("track:0", "bad", "storm", "#a-b"), rule("track:0", "good", "storm", "flood"))
    assert [one.rule_id for one in found.rules] == ["good"]
    [refused] = found.refused
    assert refused.key == "traptor-track:0:bad"
    assert "no hashtag" in refused.reason
    assert sorted(found.clauses) == ["flood", "storm"]


def test_values_that_x_does_not_tell_apart_share_a_clause() -> None:
    found = said(rule("track:0", "a", "storm storm"), rule("track:0", "b", "storm"))
    assert list(found.demand.clauses.values()) == [("storm storm", "storm")]


def test_what_is_lost_or_added_is_told_by_rule() -> None:
    found = said(rule("track:0", "a", "storm"), rule("track:0", "b", "covid-19"), rule("track:0", "c", "#x"))
    by_id = {one: [rule.rule_id for rule in rules] for one, rules in found.differences.items()}
    assert by_id == {
        Difference.LINK_WORDS: ["a", "b"],
        Difference.TAG_WORDS: ["a", "b"],
        Difference.PUNCTUATION: ["b"],
    }


def test_the_suffix_of_a_group_goes_with_its_demand() -> None:
    found = said(rule("track:0", "a", "storm"), wording=Wording(suffix="lang:en"))
    assert found.demand.suffix == "lang:en"


FOLLOWED = st.tuples(
    st.lists(st.sampled_from("123"), min_size=1, unique=True), st.sampled_from(["", "author", "?"])
)
TRACKED = st.tuples(
    st.lists(st.sampled_from(["storm", "storm storm", "flood", "#a-b"]), min_size=1, unique=True), st.just("")
)


def snapshots(of: st.SearchStrategy[tuple[list[str], str]], group: str) -> st.SearchStrategy[list[Snapshot]]:
    rules = st.dictionaries(st.sampled_from("abcd"), of).map(
        lambda found: [rule(group, key, *values, scope=scope) for key, (values, scope) in found.items()]
    )
    several = st.lists(rules, min_size=1, max_size=4)
    return several.map(lambda each: [Snapshot.of(GroupId.parse(group), one, 0.0) for one in each])


def plainly(found: Translated) -> dict[str, object]:
    """What of it is not an accident of order."""
    return {
        "rules": found.rules,
        "refused": found.refused,
        "doubts": found.doubts,
        "clauses": found.clauses,
        "demand": {clause: sorted(values) for clause, values in found.demand.clauses.items()},
        "sizes": found.demand.sizes,
        "differences": {one: sorted(rule.key for rule in rules) for one, rules in found.differences.items()},
    }


@given(
    st.one_of(snapshots(FOLLOWED, "follow:0"), snapshots(TRACKED, "track:0")),
    st.sampled_from([Wording(REPLIES), Wording()]),
)
def test_what_is_not_translated_again_is_what_it_would_be(each: list[Snapshot], wording: Wording) -> None:
    found = None
    for snapshot in each:
        found = translated(snapshot, wording, found)
        assert plainly(found) == plainly(translated(snapshot, wording))


def test_another_wording_says_everything_anew() -> None:
    snapshot = Snapshot.of(GroupId.parse("follow:0"), [rule("follow:0", "a", "12")], 0.0)
    found = translated(snapshot, Wording(AUTHOR), translated(snapshot, Wording(FULL, "lang:en")))
    assert (scopes(found), found.demand.suffix) == ({"12": AUTHOR}, "")
