"""What left and what joined is told by what rules are, not by which objects they are."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.rules.rule import GroupId, Rule
from traptor.common.rules.turnover import turnover

GROUP = GroupId.parse("track:0")


def rule(key: int, value: str) -> Rule:
    return Rule(f"traptor-track:0:{key}", str(key), GROUP, (value,), b"{}")


def rules(of: dict[int, str]) -> list[Rule]:
    return [rule(key, of[key]) for key in sorted(of)]


SOME = st.dictionaries(st.integers(0, 9), st.sampled_from(["storm", "flood"]))


@given(SOME, SOME)
def test_what_left_and_what_joined_is_the_difference_in_order(
    old: dict[int, str], new: dict[int, str]
) -> None:
    before, now = rules(old), rules(new)
    found = turnover(before, now)
    assert list(found.left) == [one for one in before if one not in now]
    assert list(found.joined) == [one for one in now if one not in before]


def test_a_rule_that_was_read_again_has_not_changed() -> None:
    before = rules({1: "storm", 2: "flood", 3: "hail"})
    again = [msgspec.structs.replace(one) for one in before]
    again[1] = rule(2, "fog")
    found = turnover(before, again)
    assert (found.left, found.joined) == ((before[1],), (again[1],))
    assert found.values == {"flood", "fog"}
