"""Values are judged: valid or why not, how normalised, and against which limit."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.rules.normalise import read_rule
from traptor.common.rules.rule import Limits, Rule
from traptor.rulekit.validation.judge import judge, judge_item
from traptor.rulekit.validation.kinds import ValueKind, read_kind

LIMITS = Limits()
SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]}
TRIANGLE = {"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 2]]]}


@pytest.mark.parametrize(
    ("kind", "value", "stored", "values"),
    [
        ("keyword", " Flood  Warning,storm", "Flood  Warning,storm", ("flood warning", "storm")),
        ("hashtag", "Flood", "Flood", ("#flood",)),
        ("userid", "00012", "12", ("12",)),
        ("userid", 12, "12", ("12",)),
        ("geo", "-0.5,51.2,0.3,51.7", "-0.5,51.2,0.3,51.7", ("-0.5,51.2,0.3,51.7",)),
        ("geo", [0, 0, 2, 2.5], "0,0,2,2.5", ("0,0,2,2.5",)),
        ("geo", {"bbox": [0, 0, 2, 2]}, "0,0,2,2", ("0,0,2,2",)),
        ("geo", SQUARE, "0,0,2,2", ("0,0,2,2",)),
        ("geo", {"type": "Feature", "geometry": SQUARE, "bbox": [9, 9, 9, 9]}, "0,0,2,2", ("0,0,2,2",)),
        (
            "geo",
            {
                "type": "MultiPolygon",
                "coordinates": [SQUARE["coordinates"], [[[5, 5], [6, 5], [6, 6], [5, 6]]]],
            },
            "0,0,2,2,5,5,6,6",
            ("0,0,2,2", "5,5,6,6"),
        ),
    ],
)
def test_what_is_valid_is_normalised(kind: str, value: object, stored: str, values: tuple[str, ...]) -> None:
    verdict = judge(ValueKind(kind), value, LIMITS)
    assert (verdict.reason, verdict.value, verdict.values) == ("", stored, values)
    assert verdict.limit == LIMITS.of(verdict.kind.rule_type)


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("keyword", "x" * 61, "61 bytes"),
        ("keyword", "", "empty"),
        ("keyword", "a\x00b", "control characters"),
        ("keyword", None, "not a text"),
        ("keyword", True, "not a text"),
        ("hashtag", "!!!", "empty|punctuation"),
        ("userid", "ann", "numeric user id"),
        ("username", "ann!", "not a user name"),
        ("username", "x" * 16, "not a user name"),
        ("geo", "0,0,0,0", "west < east"),
        ("geo", [0, 0, 1], "a bbox has four"),
        ("geo", [0, 0, "x", 1], "not a number"),
        ("geo", [0, 0, math.nan, 1], "not a number"),
        ("geo", 3, "an area is"),
        ("geo", {"type": "Point", "coordinates": [0, 0]}, "is no area"),
        ("geo", {"type": "Feature"}, "no geometry"),
        ("geo", {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}, "too short"),
        ("geo", {"type": "Polygon", "coordinates": [[[0, 0], [100, 91], [1, 1]]]}, "leaves the map"),
        ("geo", {"type": "Polygon", "coordinates": []}, "empty"),
        ("geo", {"type": "FeatureCollection", "features": [3]}, "not an object"),
        ("geo", ",".join(["0,0,1,1", "2,2,3,3"] + [f"{n},4,{n + 1},5" for n in range(24)]), "26 values"),
    ],
)
def test_what_is_not_valid_says_why(kind: str, value: object, reason: str) -> None:
    verdict = judge(ValueKind(kind), value, LIMITS)
    assert not verdict.is_valid
    assert any(part in verdict.reason for part in reason.split("|")), verdict.reason


def test_a_polygon_says_how_much_more_its_box_collects() -> None:
    [note] = judge(ValueKind.GEO, TRIANGLE, LIMITS).notes
    assert "50%" in note
    assert judge(ValueKind.GEO, SQUARE, LIMITS).notes == ()


def test_a_username_is_valid_but_needs_its_id() -> None:
    verdict = judge(ValueKind.USERNAME, "@Ann_1", LIMITS)
    assert (verdict.is_valid, verdict.username, verdict.value) == (True, "Ann_1", "")
    assert "look the id up" in verdict.notes[0]


@pytest.mark.parametrize(
    ("name", "kind"), [("Keyword", "keyword"), ("track", "keyword"), ("locations", "geo"), ("bbox", "geo")]
)
def test_kinds_have_several_names(name: str, kind: str) -> None:
    assert read_kind(name) == kind


@pytest.mark.parametrize(
    "item", [3, {}, {"type": "keyword"}, {"type": 3, "value": "x"}, {"type": "x", "value": 1}]
)
def test_an_item_of_another_form_is_refused(item: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        judge_item(item, LIMITS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "coordinates", "geometry", "features", "bbox"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(kind=st.sampled_from(ValueKind), value=JSON)
def test_any_value_gets_a_verdict_and_what_is_valid_is_a_rule(kind: ValueKind, value: object) -> None:
    verdict = judge(kind, value, LIMITS)
    if verdict.is_valid and kind is not ValueKind.USERNAME:
        key = f"traptor-{kind.rule_type}:0:1"
        found = read_rule(key, verdict.fields, True, LIMITS)
        assert isinstance(found, Rule)
        assert found.values == verdict.values
    assert verdict.as_json()["valid"] is verdict.is_valid


def test_what_looks_like_an_operator_of_x_is_noted() -> None:
    [note] = judge(ValueKind.KEYWORD, "storm -is:retweet", LIMITS).notes
    assert "'-is:retweet'" in note
