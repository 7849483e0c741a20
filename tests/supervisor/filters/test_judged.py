"""The translation judged from outside: by the sandbox's own reading of X's rule language."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from traptor.common.filters import FollowScope
from traptor.common.rules.rule import RuleType
from traptor.common.rules.values import read_values
from traptor.sandbox.v2.language.errors import InvalidRule
from traptor.sandbox.v2.language.rule import parse_rule
from traptor.supervisor.filters.language.clauses import filter_text
from traptor.supervisor.filters.language.translate import translate

LENGTH = 1_024
STOP_WORDS_ALONE = "stop word"

WORDS = st.text(
    st.characters(codec="utf-8", categories=["L", "Nd", "Po", "Pd", "Pc"]), min_size=1, max_size=10
)
TERMS = st.one_of(
    WORDS,
    st.sampled_from(
        ["or", "and", "not", "from:x", "-x", "#tag", "@name", "$cash", "example.com/a", "a_b", "3.5"]
    ),
)
PHRASES = st.lists(TERMS, min_size=1, max_size=3).map(" ".join)
VALUES = st.one_of(
    PHRASES.map(lambda phrase: (RuleType.TRACK, phrase.replace(",", ""))),
    st.integers(1, 10**18).map(lambda user_id: (RuleType.FOLLOW, str(user_id))),
    st.tuples(st.integers(-170, 170), st.integers(-80, 79)).map(
        lambda corner: (RuleType.LOCATIONS, f"{corner[0]},{corner[1]},{corner[0] + 0.2},{corner[1] + 0.2}")
    ),
)


@given(VALUES, st.sampled_from(FollowScope), st.sampled_from(["", "lang:en", "lang:en -is:retweet"]))
def test_every_filter_that_is_written_is_one_that_x_reads(
    value: tuple[RuleType, str], scope: FollowScope, suffix: str
) -> None:
    """But for words that X refuses alone, which only its own list knows."""
    rule_type, text = value
    try:
        (normal,) = read_values(rule_type, text)
        clause = translate(rule_type, normal, scope).clause
    except ValueError:
        assume(False)
    try:
        parse_rule(filter_text([clause], suffix), LENGTH)
    except InvalidRule as refusal:
        assert STOP_WORDS_ALONE in str(refusal.details)
