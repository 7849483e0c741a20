"""What people write as a rule's value, and what of it may reach Twitter."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traptor.common.rules.rule import RuleType
from traptor.common.rules.values import read_values

numbers = st.one_of(
    st.floats().map(repr),
    st.integers(-200, 200).map(str),
    st.floats(-180, 180).map(lambda number: f"{number:.3f}"),
    st.sampled_from(["", " ", "nan", "inf", "1_0", "1e400", "-1e-320", "+7.", ".5", "٣", "--1", "0x1"]),
)
boxes = st.lists(numbers, max_size=9).map(",".join)
good_boxes = st.tuples(
    st.floats(-180, 179.8), st.floats(-90, 89.8), st.floats(0.2, 360), st.floats(0.2, 180)
).map(lambda box: (box[0], box[1], min(180.0, box[0] + box[2]), min(90.0, box[1] + box[3])))


# ---- a second opinion: Twitter's limits, written down once more and in another way


def is_phrase(value: str) -> bool:
    terms = value.split(" ")
    return (
        1 <= len(value.encode("utf-8")) <= 60
        and "" not in terms
        and not re.search(r"[\x00-\x1f\x7f-\x9f,]", value)
        and any(
            character.isalnum() or ord(character) > 127 or character in "_$+<=>^`|~" for character in value
        )
    )


def is_user_id(value: str) -> bool:
    return re.fullmatch(r"[1-9][0-9]{0,18}", value) is not None and int(value) < 2**63


def is_box(value: str) -> bool:
    parts = value.split(",")
    if len(parts) != 4 or not all(re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?", part) for part in parts):
        return False
    west, south, east, north = map(float, parts)
    sides = (east - west, north - south)
    return (
        -180 <= west < east <= 180
        and -90 <= south < north <= 90
        and all(math.isfinite(side) and side > 0.0999999 for side in sides)
    )


ACCEPTED = {RuleType.TRACK: is_phrase, RuleType.FOLLOW: is_user_id, RuleType.LOCATIONS: is_box}


@settings(max_examples=400)
@given(
    st.sampled_from(list(RuleType)),
    st.one_of(
        st.text(), boxes, st.text("0123456789, "), good_boxes.map(lambda box: ",".join(map(repr, box)))
    ),
    st.booleans(),
)
def test_what_is_accepted_is_what_twitter_accepts(rule_type: RuleType, text: str, hashtag: bool) -> None:
    """The server refuses a whole connection for one bad value: none gets through."""
    try:
        values = read_values(rule_type, text, hashtag=hashtag)
    except ValueError:
        return
    assert values
    assert len(set(values)) == len(values)
    assert all(ACCEPTED[rule_type](value) for value in values), values


@given(st.sampled_from(list(RuleType)), st.one_of(st.text(), st.text("ab #,"), boxes), st.booleans())
def test_what_was_normalised_stays_as_it_is(rule_type: RuleType, text: str, hashtag: bool) -> None:
    try:
        values = read_values(rule_type, text, hashtag=hashtag)
    except ValueError:
        return
    assert read_values(rule_type, ",".join(values), hashtag=hashtag) == values


# ---- track


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Flood", ("flood",)),
        ("  Flood   WARNING ", ("flood warning",)),
        ("flood,storm surge", ("flood", "storm surge")),
        ("flood,Flood , FLOOD", ("flood",)),
        ("flood\u00a0warning\t\n", ("flood warning",)),
        ("ÉCOLE", ("école",)),
        ("c++", ("c++",)),
        ("rock & roll", ("rock & roll",)),
        ("example.com/A", ("example.com/a",)),
        ("@_", ("@_",)),
        ("🔥", ("🔥",)),
        ("x" * 60, ("x" * 60,)),
        ("é" * 30, ("é" * 30,)),
    ],
)
def test_track_values(text: str, values: tuple[str, ...]) -> None:
    assert read_values(RuleType.TRACK, text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Storm", ("#storm",)),
        ("#Storm", ("#storm",)),
        ("\uff03Storm", ("#storm",)),  # the sign as East Asian keyboards write it
        ("storm #Surge", ("#storm #surge",)),
        ("storm,surge", ("#storm", "#surge")),
        ("x" * 59, ("#" + "x" * 59,)),
    ],
)
def test_every_term_of_a_hashtag_rule_has_its_sign(text: str, values: tuple[str, ...]) -> None:
    assert read_values(RuleType.TRACK, text, hashtag=True) == values


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a phrase is empty"),
        ("flood,,storm", "a phrase is empty"),
        ("flood,", "a phrase is empty"),
        ("x" * 61, "'x+' has 61 bytes in UTF-8; a phrase has 60 at most"),
        ("é" * 31, "has 62 bytes"),
        ("İ" * 30, "has 90 bytes"),  # lower case is longer
        ("ok," + "y" * 500, "the phrase 'y{77}...' has 500 bytes"),
        ("flood\x00", r"'flood\\x00' has control characters"),
        ("-", "'-' is only punctuation"),
        ("!!! ...", "only punctuation"),
        ("\u200b", "only punctuation"),
    ],
)
def test_track_values_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_values(RuleType.TRACK, text)


def test_the_sign_of_a_hashtag_counts() -> None:
    with pytest.raises(ValueError, match="61 bytes"):
        read_values(RuleType.TRACK, "x" * 60, hashtag=True)
    with pytest.raises(ValueError, match="only punctuation"):
        read_values(RuleType.TRACK, "#", hashtag=True)


# ---- follow


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("42", ("42",)),
        (" 42 ", ("42",)),
        ("0042", ("42",)),
        ("42, 7,42,042", ("42", "7")),
        (str(2**63 - 1), (str(2**63 - 1),)),
    ],
)
def test_follow_values(text: str, values: tuple[str, ...]) -> None:
    assert read_values(RuleType.FOLLOW, text) == values


@pytest.mark.parametrize(
    "text", ["", "ann", "@42", "4 2", "42,", "-1", "1.0", "1e3", "0", "٤٢", "4" * 21, str(2**63)]
)
def test_follow_values_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="user id"):
        read_values(RuleType.FOLLOW, text)


# ---- locations


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("-180,-90,180,90", ("-180,-90,180,90",)),
        ("-122.75, 36.8, -121.75, 37.8", ("-122.75,36.8,-121.75,37.8",)),
        ("-122.750,+36.80,-121.75,37.8", ("-122.75,36.8,-121.75,37.8",)),
        ("0,-0.0,1.0,1e1", ("0,0,1,10",)),
        ("10.5,59.8,10.6,59.9", ("10.5,59.8,10.6,59.9",)),
        ("1e-5,0,1,1", ("0.00001,0,1,1",)),
        ("0,0,1,1,2,2,3,3,0.0,0.0,1.0,1.0", ("0,0,1,1", "2,2,3,3")),
    ],
)
def test_boxes_are_compared_as_numbers(text: str, values: tuple[str, ...]) -> None:
    assert read_values(RuleType.LOCATIONS, text) == values


@given(good_boxes)
def test_good_boxes_keep_their_numbers(box: tuple[float, float, float, float]) -> None:
    (value,) = read_values(RuleType.LOCATIONS, ",".join(map(repr, box)))
    assert [float(part) for part in value.split(",")] == pytest.approx(box, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a box has four"),
        ("1,2,3", "3 numbers; a box has four"),
        ("1,2,3,4,5", "5 numbers"),
        ("a,0,1,1", "'a' is not a number"),
        ("nan,0,1,1", "'nan' is not a number"),
        ("1_0,0,20,1", "'1_0' is not a number"),
        ("1e400,0,1,1", "is not a number|leaves the map"),
        ("1e309,0,1,1", "leaves the map"),
        ("-181,0,1,1", "leaves the map"),
        ("0,0,1,90.5", "leaves the map"),
        ("59.8,10.5,59.7,10.9", "not west,south,east,north"),
        ("170,0,-170,1", "180th meridian"),
        ("0,1,1,1", "not west,south,east,north"),
        ("0,0,0.05,1", "too small: each side has at least 0.1 degrees"),
    ],
)
def test_boxes_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_values(RuleType.LOCATIONS, text)
