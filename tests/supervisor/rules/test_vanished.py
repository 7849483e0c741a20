"""Rules that disappear without a word count only when two looks agree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from traptor.common.rules.rule import GroupId, Inactive, Rejected, Rule, fingerprint
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.rules.vanished import Judgement, judge

GROUP = GroupId.parse("track:0")
NOTHING: frozenset[str] = frozenset()

tables = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["x", "y"]), max_size=8)
kinds = st.sampled_from(["rule", "rule", "rule", "off", "bad"])


def rule(key: str, value: str = "x") -> Rule:
    return Rule(key, key, GROUP, (f"{value}-{key}",), b"{}")


def look(table: dict[str, str], *, off: str = "", bad: str = "", at: float = 0.0) -> Snapshot:
    rules = [rule(key, value) for key, value in table.items()]
    others = [Inactive(key, GROUP, "off") for key in off], [Rejected(key, GROUP, "bad") for key in bad]
    return Snapshot.of(GROUP, [*rules, *others[0], *others[1]], at)


def seen(keys: str, **more) -> Snapshot:
    return look(dict.fromkeys(keys, "x"), **more)


def keys_of(snapshot: Snapshot) -> str:
    return "".join(one.key for one in snapshot.rules)


def test_the_first_look_counts() -> None:
    first = seen("ab")
    assert judge(None, first, NOTHING, False) == Judgement(first)


def test_a_rule_that_is_missed_once_goes_on_and_twice_is_gone() -> None:
    first = judge(seen("abc"), seen("ac"), NOTHING, False)
    assert (keys_of(first.snapshot), first.missing, first.suspect) == ("abc", {"b"}, False)
    second = judge(first.snapshot, seen("ac"), first.missing, False)
    assert (keys_of(second.snapshot), second.missing) == ("ac", NOTHING)


def test_a_rule_that_comes_back_begins_anew() -> None:
    first = judge(seen("abc"), seen("ac"), NOTHING, False)
    second = judge(first.snapshot, seen("abc"), first.missing, False)
    third = judge(second.snapshot, seen("ac"), second.missing, False)
    assert keys_of(third.snapshot) == "abc"


def test_a_look_that_finds_no_rules_changes_nothing_however_often() -> None:
    known, missing = seen("abc"), NOTHING
    for _ in range(5):
        verdict = judge(known, seen(""), missing, False)
        assert verdict.suspect
        assert verdict.snapshot is known
        known, missing = verdict.snapshot, verdict.missing


def test_a_suspect_look_is_none_of_the_two_that_must_agree() -> None:
    first = judge(seen("abc"), seen("ac"), NOTHING, False)
    suspect = judge(first.snapshot, seen(""), first.missing, False)
    third = judge(suspect.snapshot, seen("ac"), suspect.missing, False)
    assert (keys_of(third.snapshot), third.missing) == ("abc", {"b"})


def test_a_hint_makes_a_look_count_at_once() -> None:
    for found in (seen("ac"), seen("")):
        assert judge(seen("abc"), found, NOTHING, True) == Judgement(found)


def test_new_and_changed_rules_count_at_once() -> None:
    verdict = judge(seen("ab"), look({"a": "y", "c": "x"}), NOTHING, False)
    assert keys_of(verdict.snapshot) == "abc"
    assert verdict.snapshot.values == {"y-a", "x-b", "x-c"}


def test_a_rule_that_was_switched_off_or_spoilt_has_not_vanished() -> None:
    found = seen("c", off="a", bad="b")
    assert judge(seen("abc"), found, NOTHING, False) == Judgement(found)
    nothing_left = seen("", off="ac", bad="b")
    assert judge(seen("abc"), nothing_left, NOTHING, False) == Judgement(nothing_left)


def test_no_rules_left_and_some_missing_is_suspect_even_when_others_were_switched_off() -> None:
    assert judge(seen("abc"), seen("", off="a"), NOTHING, False).suspect


def test_an_empty_group_may_stay_empty() -> None:
    assert not judge(seen(""), seen(""), NOTHING, False).suspect


@given(st.lists(st.tuples(tables, st.booleans()), max_size=8), tables)
def test_no_rule_goes_without_a_hint_or_two_looks_that_miss_it(
    looks: list[tuple[dict[str, str], bool]], last: dict[str, str]
) -> None:
    known: Snapshot | None = None
    missing = NOTHING
    tables_seen: list[dict[str, str]] = []
    for table, hinted in [*looks, (last, False)]:
        before = known
        verdict = judge(known, look(table), missing, hinted)
        known, missing = verdict.snapshot, verdict.missing
        tables_seen.append(table)
        assert {key for key in table if not verdict.suspect} <= set(keys_of(known))
        assert known.rules == tuple(sorted(known.rules, key=lambda one: one.key))
        assert known.fingerprint == fingerprint(known.rules)
        assert known.values == {value for one in known.rules for value in one.values}
        if before is not None and not hinted:
            for key in set(keys_of(before)) - set(keys_of(known)):
                assert all(key not in table for table in tables_seen[-2:])
                assert table


@given(tables, tables)
def test_two_equal_looks_in_a_row_are_what_counts(first: dict[str, str], second: dict[str, str]) -> None:
    """Unless they find nothing where there was something."""
    verdict = judge(look(first), look(second), NOTHING, False)
    verdict = judge(verdict.snapshot, look(second), verdict.missing, False)
    expected = first if first and not second else second
    assert verdict.snapshot.fingerprint == look(expected).fingerprint
    assert verdict.suspect == bool(first and not second)
