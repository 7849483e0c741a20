"""Characters that nobody sees in the values of rules."""

# ruff: noqa: RUF001 - letters of other scripts are meant

import json

import pytest
from support.paths import DATA

from traptor.common.rules.invisible import without_invisible
from traptor.common.rules.normalise import read_rule
from traptor.common.rules.rule import Limits, Rule

VALUES = {"rlm": "storm", "bom": "fire", "zwsp": "rain", "isolate": "كورونا", "f": "12345"}


@pytest.mark.parametrize(("key", "fields"), json.loads((DATA / "invisible.rules.json").read_text()).items())
def test_they_are_left_out_at_the_edges_and_the_rule_says_so(key, fields):
    rule = read_rule(key, fields, True, Limits())
    assert isinstance(rule, Rule)
    assert rule.values == (VALUES[rule.rule_id],)
    assert "at the edges of words are left out: U+" in rule.doubt
    assert json.loads(rule.json)["rule_value"] == fields["value"]


@pytest.mark.parametrize("code", [0x200F, 0xFEFF, 0x200B, 0x2067, 0x2069, 0xAD, 0x2060, 0x61C, 0x3164, 0x34F])
@pytest.mark.parametrize(
    ("value", "visible"),
    [
        ("@storm", "storm"),
        ("storm@", "storm"),
        ("@@storm@@ @surge@", "storm surge"),
        ("storm@,@surge", "storm,surge"),
        ("#@storm@", "#storm"),
    ],
)
def test_edges_are_those_of_every_word(value, visible, code):
    text, doubt = without_invisible(value.replace("@", chr(code)))
    assert text == visible
    assert f"U+{code:04X}" in doubt


@pytest.mark.parametrize(
    "value",
    [
        "storm",
        "می\u200cخواهم",
        "ශ්\u200dරී",
        "👩\u200d🚀",
        "❤\ufe0f",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "\u0600",
    ],
)
def test_what_words_and_emoji_are_made_of_stays(value):
    assert without_invisible(value) == (value, "")


def test_joiners_at_an_edge_join_nothing():
    assert without_invisible("\u200cمی\u200c")[0] == "می"


def test_inside_a_word_they_stay_and_the_rule_says_so():
    text, doubt = without_invisible("flood\u200bwarning")
    assert text == "flood\u200bwarning"
    assert "inside" in doubt
    assert "U+200B" in doubt


def test_a_value_of_nothing_else_is_refused():
    found = read_rule("traptor-track:0:1", {"value": "\u200f"}, True, Limits())
    assert not isinstance(found, Rule)
    assert "empty" in found.reason
