"""Operators of X's rule language in the value of a track rule: taken as words, and its owner is told."""

from __future__ import annotations

import pytest

from traptor.common.rules.normalise import read_rule
from traptor.common.rules.operators import _NAMES, doubt_of_operators
from traptor.common.rules.rule import Limits, Rule
from traptor.sandbox.v2.language.operators import OPERATORS


def read(group: str, **fields: str) -> Rule:
    rule = read_rule(f"traptor-{group}:1", fields, True, Limits())
    assert isinstance(rule, Rule)
    return rule


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("storm -is:retweet", "'-is:retweet'"),
        ("has:media storm", "'has:media'"),
        ("storm,Lang:EN", "'Lang:EN'"),
        ("from:12", "'from:12'"),
        ("storm -rain", "'-rain'"),
        ('storm -"heavy rain"', "'-\"heavy rain\"'"),
        ("storm -#rain", "'-#rain'"),
        ("(flood OR fire) storm", "'OR'"),
        ("(from:12 to:13)", "'from:12', 'to:13)'"),
        ("storm place_country:US", "'place_country:US'"),
        ('"flood warning" storm', "'\"flood warning\"'"),
        ("from:1 to:2 lang:en is:reply has:geo", "'from:1', 'to:2', 'lang:en' and 2 more"),
        ("lang:\x1b[31m", r"'lang:\x1b[31m'"),
    ],
)
def test_what_looks_like_an_operator_is_doubted_by_name(value: str, named: str) -> None:
    doubt = doubt_of_operators(value)
    assert doubt.startswith(f"taken as words, though X's rule language has such operators: {named}; ")
    assert "[traptor] suffix" in doubt


@pytest.mark.parametrize(
    "value",
    [
        "storm", "flood warning",
        "covid-19", "post-covid", "storm -40", "- storm", "re:invent", "12:30", ":-)",
        "https://example.com/a", "or", "life or death", "OR", "ORLANDO", "flood,OR,fire", '"storm"', '5"x7',
        "at&t", "lang: en", "AUTHORITY", "apple (company)", "slang:en", "8-is:retweet",
    ],
)  # fmt: skip
def test_what_people_track_is_not(value: str) -> None:
    assert doubt_of_operators(value) == ""


def test_all_operators_of_x_are_known() -> None:
    assert OPERATORS.keys() <= set(_NAMES.split())


def test_the_rule_is_collected_as_words_and_says_so() -> None:
    rule = read("track:0", value="storm\u200b -is:retweet")
    assert rule.values == ("storm -is:retweet",)
    assert "U+200B" in rule.doubt
    assert "'-is:retweet'" in rule.doubt


def test_only_track_rules_have_words() -> None:
    assert read("follow:0", value="12").doubt == read("locations:0", value="-1,-1,1,1").doubt == ""


def test_a_long_value_is_cut() -> None:
    assert len(doubt_of_operators(" ".join(f"lang:{number}{'x' * 900}" for number in range(9)))) < 500
