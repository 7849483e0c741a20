"""Loads are worked out: as few ids as needed, nothing moves without need, the same twice is nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.rules.rule import GroupId, Limits, Rejected, RuleType
from traptor.rulekit.changes.change import ChangeKind
from traptor.rulekit.changes.holdings import Holdings, Stored, values_of
from traptor.rulekit.changes.loading import LoadPlan, LoadTarget, plan_load
from traptor.rulekit.changes.wanted import Collected, Wanted, wanted_rule
from traptor.rulekit.sources.row import BadRow, Row

LIMITS = Limits(follow=10, track=3, locations=2)
TRACK = LoadTarget(RuleType.TRACK, LIMITS)


def want(*rules: Mapping[str, str] | str) -> list[Wanted]:
    rows = [
        Row(number, dict(rule) if isinstance(rule, Mapping) else {"rule_id": rule, "value": rule})
        for number, rule in enumerate(rules, start=1)
    ]
    return [wanted_rule(row, RuleType.TRACK, LIMITS) for row in rows]


def stored(group: str, rule_id: str, value: str = "", **more: str) -> Stored:
    fields = {"rule_id": rule_id, "rule_type": "track", "value": value or rule_id, **more}
    return Stored(f"traptor-{group}:{rule_id}", GroupId.parse(group), rule_id, fields)


def held(*rules: Stored, unusable: Sequence[Rejected] = ()) -> Holdings:
    return Holdings(tuple(sorted(rules, key=lambda one: one.key)), tuple(unusable))


def shown(plan: LoadPlan) -> dict[str, dict[str, str]]:
    """The changes by group: rule keys' ends and what happens to them."""
    return {
        str(change.group): {rule.key.split(":", 2)[2]: str(rule.kind) for rule in change.rules}
        for change in plan.changes
    }


def after(holdings: Holdings, plan: LoadPlan) -> Holdings:
    rules = {rule.key: rule for rule in holdings.rules}
    for change in plan.changes:
        for one in change.rules:
            if one.after is None:
                del rules[one.key]
            else:
                rules[one.key] = Stored(one.key, change.group, one.after["rule_id"], one.after)
    return held(*rules.values())


def sizes(holdings: Holdings) -> dict[str, int]:
    values: dict[str, set[str]] = {}
    for rule in holdings.rules:
        values.setdefault(str(rule.group), set()).update(values_of(rule.group.type, rule.fields))
    return {group: len(found) for group, found in sorted(values.items())}


def test_rules_are_spread_over_as_few_ids_as_the_limit_needs() -> None:
    plan = plan_load(want(*"abcdefg"), held(), TRACK)
    assert sizes(after(held(), plan)) == {"track:0": 3, "track:1": 3, "track:2": 1}


def test_rules_with_the_same_value_share_a_place() -> None:
    rules = [{"rule_id": str(number), "value": "same"} for number in range(9)]
    assert set(shown(plan_load(want(*rules), held(), TRACK))) == {"track:0"}


def test_new_rules_fill_the_room_that_there_is_before_an_id_is_opened() -> None:
    holdings = held(stored("track:0", "a"), stored("track:0", "b"), stored("track:2", "c"))
    plan = plan_load(want("d", "e", "f", "g"), holdings, TRACK)
    assert shown(plan) == {
        "track:0": {"d": "added"},
        "track:2": {"e": "added", "f": "added"},
        "track:1": {"g": "added"},
    }


def test_loading_the_same_again_changes_nothing() -> None:
    rules = want(*"abcdefg")
    holdings = after(held(), plan_load(rules, held(), TRACK))
    again = plan_load(rules, holdings, TRACK)
    assert (again.changes, again.unchanged) == ((), 7)


def test_a_changed_rule_stays_in_its_id_and_keeps_fields_that_the_source_does_not_have() -> None:
    holdings = held(stored("track:5", "a", "old", description="mine"))
    plan = plan_load(want({"rule_id": "a", "value": "new"}), holdings, TRACK)
    [change] = plan.changes[0].rules
    assert change.key == "traptor-track:5:a"
    assert change.after == {"rule_id": "a", "rule_type": "track", "value": "new", "description": "mine"}


def test_a_rule_that_outgrows_its_id_moves_and_both_are_written_in_one_step() -> None:
    holdings = held(stored("track:0", "a"), stored("track:0", "b"), stored("track:0", "c"))
    plan = plan_load(want({"rule_id": "b", "value": "b,b2,b3"}), holdings, TRACK)
    assert shown(plan) == {"track:0": {"b": "removed"}, "track:1": {"b": "added"}}
    assert [[str(one.group) for one in step] for step in plan.steps] == [["track:0", "track:1"]]


def test_groups_without_moves_between_them_are_steps_of_their_own() -> None:
    plan = plan_load(want(*"abcd"), held(), TRACK)
    assert [[str(one.group) for one in step] for step in plan.steps] == [["track:0"], ["track:1"]]


def test_a_group_with_a_name_gets_no_rules_and_loses_none_unless_it_is_named() -> None:
    holdings = held(stored("track:press", "a"), stored("track:0", "b"))
    target = LoadTarget(RuleType.TRACK, LIMITS, replaces=True)
    assert shown(plan_load(want("c"), holdings, target)) == {"track:0": {"b": "removed", "c": "added"}}
    named = LoadTarget(RuleType.TRACK, LIMITS, group=GroupId.parse("track:press"), replaces=True)
    plan = plan_load(want(*"bcdef"), holdings, named)
    assert shown(plan) == {"track:press": {"a": "removed"} | dict.fromkeys("bcdef", "added")}


def test_a_group_that_is_too_large_already_is_left_as_it_is() -> None:
    holdings = held(*(stored("track:0", name) for name in "abcde"))
    plan = plan_load(want({"rule_id": "a", "value": "a,aa"}, "f"), holdings, TRACK)
    assert shown(plan) == {"track:0": {"a": "changed"}, "track:1": {"f": "added"}}


def test_without_replace_nothing_is_removed() -> None:
    assert shown(plan_load(want("a"), held(stored("track:0", "b")), TRACK)) == {"track:0": {"a": "added"}}


def test_a_key_that_holds_something_else_refuses_its_rule() -> None:
    odd = [Rejected("traptor-track:0:a", GroupId.parse("track:0"), "not a hash")]
    plan = plan_load(want("a", "b"), held(unusable=odd), TRACK)
    assert [row.number for row in plan.refused] == [1]
    other = stored("track:0", "x")
    plan = plan_load(want("a"), held(Stored("traptor-track:0:a", other.group, "x", other.fields)), TRACK)
    assert "another rule" in plan.refused[0].reason


def test_a_rule_that_is_invalid_with_the_fields_it_has_is_refused_and_not_removed() -> None:
    holdings = held(stored("track:0", "a", "x", orig_type="hashtag"))
    target = LoadTarget(RuleType.TRACK, LIMITS, replaces=True)
    plan = plan_load(want({"rule_id": "a", "value": "y" * 60}), holdings, target)
    assert plan.changes == ()
    assert "61 bytes" in plan.refused[0].reason


# ---- what is wanted


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"value": "x" * 61}, "61 bytes"),
        ({"value": "a\x07b"}, "control characters"),
        ({"value": "a,,b"}, "a phrase is empty"),
        ({"value": "a,b,c,d"}, "4 values"),
        ({"value": "x", "note": "y" * 300_000}, "bytes as JSON"),
        ({"value": "x", "rule_id": "a\u200bb"}, "invisible"),
        ({"value": "x", "rule_id": "a\nb"}, "control"),
        ({"value": "x", "rule_id": "a" * 201}, "200 bytes"),
        ({"value": "x", "rate": "often"}, "the rate must be"),
        ({"value": "12", "rule_type": "follow"}, "track rules are expected"),
        ({"value": "12", "rule_type": "nonsense"}, "not a type of rule"),
    ],
)
def test_a_rule_that_cannot_be_streamed_says_why(fields: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        wanted_rule(Row(1, fields), RuleType.TRACK, LIMITS)


@pytest.mark.parametrize("value", ["зима", "洪水 警報", "سیل", "बाढ़", "น้ำท่วม", "שיטפון", "می\u200cروم", "🌊"])
def test_the_letters_of_every_script_are_taken(value: str) -> None:
    assert wanted_rule(Row(1, {"value": value}), RuleType.TRACK, LIMITS).values


def test_an_id_is_derived_from_the_values_and_not_from_their_spelling() -> None:
    [one, other, tagged] = want({"value": "Storm  Flood"}, {"value": "storm flood"}, {"value": "#storm"})
    assert one.rule_id == other.rule_id != tagged.rule_id


def test_rules_that_occur_twice_count_once_and_contradictions_are_told() -> None:
    rows: list[Row | BadRow] = [
        Row(1, {"rule_id": "a", "value": "x"}),
        Row(2, {"rule_id": "a", "value": "x"}),
        Row(3, {"rule_id": "a", "value": "y"}),
        BadRow(4, "no JSON"),
    ]
    collected = Collected()
    assert list(collected.take(rows, RuleType.TRACK, LIMITS)) == [1, 2, 3, 4]
    assert (list(collected.rules), collected.repeated) == (["a"], 1)
    assert [row.number for row in collected.bad] == [3, 4]


RULES = st.dictionaries(
    st.sampled_from([f"r{number}" for number in range(12)]),
    st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=3, unique=True),
    max_size=12,
)


@given(first=RULES, second=RULES, replaces=st.booleans())
def test_no_id_exceeds_the_limit_and_what_is_wanted_is_there(
    first: dict[str, list[str]], second: dict[str, list[str]], replaces: bool
) -> None:
    target = LoadTarget(RuleType.TRACK, LIMITS, replaces=replaces)
    holdings = held()
    for rules in (first, second):
        wanted = want(*({"rule_id": name, "value": ",".join(values)} for name, values in rules.items()))
        plan = plan_load(wanted, holdings, target)
        holdings = after(holdings, plan)
        ids = [rule.rule_id for rule in holdings.rules]
        assert len(ids) == len(set(ids))
        assert all(size <= LIMITS.track for size in sizes(holdings).values())
        known = holdings.by_id()
        assert all(known[name].fields["value"] == ",".join(values) for name, values in rules.items())
        if replaces:
            assert set(ids) == set(rules)
        assert plan_load(wanted, holdings, target).changes == ()
        assert sum(change.count(kind) for change in plan.changes for kind in ChangeKind) == sum(
            len(change.rules) for change in plan.changes
        )
