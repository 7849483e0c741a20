"""Gnip's rules are translated where the meaning stays the same, and refused otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.rules.rule import RuleType
from traptor.rulekit.sources.powertrack import translate


@pytest.mark.parametrize(
    ("rule_type", "value", "expected"),
    [
        ("track", "flood", "flood"),
        ("track", "flood warning", "flood warning"),
        ("track", "flood OR storm", "flood,storm"),
        ("track", "heavy rain OR storm", "heavy rain,storm"),
        ("track", "(flood OR storm) bonn", "flood bonn,storm bonn"),
        ("track", "a (b OR (c d)) OR e", "a b,a c d,e"),
        ("track", '#flood @thw $RWE "word"', "#flood @thw $RWE word"),
        ("track", "covid-19", "covid-19"),
        ("track", "ORANGE", "ORANGE"),
        ("track", "flood OR flood", "flood"),
        ("follow", "from:12", "12"),
        ("follow", "from:12 OR from:ann OR (from:3)", "12,ann,3"),
        ("locations", "bounding_box:[-0.5 51.2 0.3 51.7]", "-0.5,51.2,0.3,51.7"),
    ],
)
def test_what_means_the_same(rule_type: str, value: str, expected: str) -> None:
    assert translate(value, RuleType(rule_type)) == expected


@pytest.mark.parametrize(
    ("rule_type", "value", "reason"),
    [
        ("track", '"flood warning"', "exact phrase"),
        ("track", "flood lang:de", "operator lang:"),
        ("track", 'url_contains:"a.example"', "operator url_contains:"),
        ("track", "flood -rain", "negation"),
        ("track", "flood -(rain OR snow)", "negation"),
        ("track", "from:12", "operator from:"),
        ("track", "a,b", "comma"),
        ("track", "(a", "not closed"),
        ("track", "a)", "not opened"),
        ("track", 'a "b', "quotation mark"),
        ("track", "a OR", "empty"),
        ("track", "", "empty"),
        ("track", "(a OR b) " * 20, "alternatives"),
        ("follow", "from:12 flood", "a word"),
        ("follow", "to:12", "operator to:"),
        ("locations", "point_radius:[1 2 3mi]", "operator point_radius:"),
        ("locations", "bounding_box:[1 2 3]", "four numbers"),
    ],
)
def test_what_has_no_equivalent_is_named(rule_type: str, value: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        translate(value, RuleType(rule_type))


@given(value=st.text(alphabet='ab#"()-:[] ,OR', max_size=40), rule_type=st.sampled_from(RuleType))
def test_any_text_is_translated_or_refused_with_a_sentence(value: str, rule_type: RuleType) -> None:
    try:
        assert translate(value, rule_type)
    except ValueError as error:
        assert str(error)
