"""From the rules of a group to the clauses that an app needs for them."""

from __future__ import annotations

import json

import pytest

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
    assert by_id == {Difference.LINK_WORDS: ["a", "b"], Difference.PUNCTUATION: ["b"]}


def test_the_suffix_of_a_group_goes_with_its_demand() -> None:
    found = said(rule("track:0", "a", "storm"), wording=Wording(suffix="lang:en"))
    assert found.demand.suffix == "lang:en"
