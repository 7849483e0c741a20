"""Values become questions in X's language, a few together as long as they fit."""

from __future__ import annotations

import pytest

from traptor.common.rules.rule import RuleType
from traptor.rulekit.lookups.queries import MAX_CHARACTERS, queries_of


@pytest.mark.parametrize(
    ("rule_type", "values", "query"),
    [
        ("track", ["flood"], "flood"),
        ("track", ["flood warning", "#storm"], "(flood warning) OR #storm"),
        ("track", ["covid-19", "or"], '"covid-19" OR "or"'),
        ("follow", ["12"], "(from:12 OR to:12 OR retweets_of:12)"),
        ("locations", ["0,1,2,3"], "bounding_box:[0 1 2 3]"),
    ],
)
def test_a_rule_is_one_question_where_it_fits(rule_type: str, values: list[str], query: str) -> None:
    assert queries_of(RuleType(rule_type), values) == [query]


def test_a_long_rule_is_several_questions() -> None:
    queries = queries_of(RuleType.FOLLOW, [str(10**18 + number) for number in range(20)])
    assert len(queries) > 1
    assert all(len(query) <= MAX_CHARACTERS for query in queries)


def test_a_value_that_is_too_long_to_ask_for_says_so() -> None:
    with pytest.raises(ValueError, match="characters to ask for it"):
        queries_of(RuleType.TRACK, ["x" * 600])
