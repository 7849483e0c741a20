"""What becomes of a value: its clause, and the named differences."""

# ruff: noqa: RUF001 - the letters that look alike are meant

from __future__ import annotations

import contextlib
import math
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traptor.common.filters import FollowScope
from traptor.common.rules.rule import RuleType
from traptor.common.rules.values import read_values
from traptor.supervisor.filters.language.clauses import BoxClause, Clause, FollowClause, filter_text
from traptor.supervisor.filters.language.differences import Difference
from traptor.supervisor.filters.language.reading import FilterValue, read_filter
from traptor.supervisor.filters.language.tiles import number_of_tiles, tiles_of
from traptor.supervisor.filters.language.translate import translate

NONE: set[Difference] = set()
WORDS = {Difference.LINK_WORDS, Difference.TAG_WORDS}
QUOTED = {*WORDS, Difference.PUNCTUATION}


@pytest.mark.parametrize(
    ("phrase", "text", "differences"),
    [
        ("flood warning", "flood warning", WORDS),
        ("#storm", "#storm", NONE),
        ("#il·lusió", "#il·lusió", NONE),
        ("\uff03flood", "#flood", NONE),
        ("@nasa launch", "@nasa launch", WORDS),
        ("$twtr", "$twtr", NONE),
        ("$brk.b", "$brk.b", NONE),
        ("$5", '"$5"', QUOTED),
        ("covid-19", '"covid-19"', QUOTED),
        ("-x", '"-x"', QUOTED),
        ("from:x", '"from:x"', QUOTED),
        ("this or that", 'this "or" that', WORDS),
        ("not", '"not"', WORDS),
        ("i'm", '"i\'m"', QUOTED),
        ("😀", '"😀"', QUOTED),
        ("1\ufe0f\u20e3", '"1\ufe0f\u20e3"', QUOTED),
        ("storm\ufe0f", '"storm\ufe0f"', QUOTED),
        ("地震", "地震", WORDS),
        ("می\u200cخواهم", '"می\u200cخواهم"', QUOTED),
        ("example.com", 'url:"example.com"', {Difference.LONGER_LINKS}),
        ("example.com/foo/", 'url:"example.com/foo"', {Difference.LONGER_LINKS}),
        ("https://example.com/a?b=1", 'url:"example.com/a?b=1"', {Difference.LONGER_LINKS}),
        ("3.5", '"3.5"', QUOTED),
        ('say"hi"', '"say hi"', {*QUOTED, Difference.DOUBLE_QUOTES}),
        ("storm !", "storm", {*WORDS, Difference.PUNCTUATION}),
        ("snake_case", '"snake_case"', QUOTED),
        ("#snake_case", "#snake_case", NONE),
        ("@snake_case", "@snake_case", NONE),
    ],
)
def test_a_phrase_becomes_a_clause_with_named_differences(
    phrase: str, text: str, differences: set[Difference]
) -> None:
    translation = translate(RuleType.TRACK, phrase)
    assert str(translation.clause) == text
    assert translation.differences == differences


@pytest.mark.parametrize("phrase", ["#a-b", "#", '""', "--"])
def test_what_x_cannot_find_is_refused_with_a_reason(phrase: str) -> None:
    with pytest.raises(ValueError, match=r"is no hashtag|nothing that X could find"):
        translate(RuleType.TRACK, phrase)


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        (FollowScope.AUTHOR, "from:42"),
        (FollowScope.REPLIES, "from:42 OR to:42"),
        (FollowScope.FULL, "from:42 OR to:42 OR retweets_of:42"),
    ],
)
def test_a_follow_scope_chooses_the_operators(scope: FollowScope, text: str) -> None:
    translation = translate(RuleType.FOLLOW, "42", scope)
    assert str(translation.clause) == text
    assert all(difference.is_loss for difference in translation.differences)


def test_every_difference_is_named_by_some_value() -> None:
    phrases = ("word", "a-b", "example.com", 'a"b')
    named = {d for phrase in phrases for d in translate(RuleType.TRACK, phrase).differences}
    for scope in FollowScope:
        named |= translate(RuleType.FOLLOW, "1", scope).differences
    named |= translate(RuleType.LOCATIONS, "0,0,0.1,0.1").differences
    assert named == set(Difference)


# ---- boxes


def box(west: float, south: float, width: float, height: float) -> BoxClause:
    (value,) = read_values(RuleType.LOCATIONS, f"{west},{south},{west + width},{south + height}")
    clause = translate(RuleType.LOCATIONS, value).clause
    assert isinstance(clause, BoxClause)
    return clause


def test_a_small_box_is_one_tile() -> None:
    assert str(box(10.5, 59.9, 0.2, 0.2)) == "bounding_box:[10.5 59.9 10.7 60.1]"


def test_a_degree_at_37_north_takes_twenty_tiles_that_overlap() -> None:
    assert len(box(-122, 37, 1, 1).tiles) == 20  # 4 side by side in 5 rows


BOXES = st.builds(
    box,
    st.floats(-170, 170).map(lambda n: round(n, 3)),
    st.floats(-80, 80).map(lambda n: round(n, 3)),
    st.floats(0.1, 1.7).map(lambda n: round(n, 3)),
    st.floats(0.1, 1.7).map(lambda n: round(n, 3)),
)


@given(BOXES, st.data())
def test_a_place_of_half_a_tile_lies_in_some_tile(clause: BoxClause, data: st.DataObject) -> None:
    west, south = clause.tiles[0].west, clause.tiles[0].south
    east, north = clause.tiles[-1].east, clause.tiles[-1].north
    height = (clause.tiles[0].north - clause.tiles[0].south) / 2 - 1e-4
    at_south = data.draw(st.floats(south, max(south, north - height)))
    row = [
        one for one in clause.tiles if one.south - 1e-4 <= at_south and at_south + height <= one.north + 1e-4
    ]
    assert row
    width = min(one.east - one.west for one in row) / 2 - 1e-4
    at_west = data.draw(st.floats(west, max(west, east - width)))
    assert any(one.west - 1e-4 <= at_west and at_west + width <= one.east + 1e-4 for one in row)


@given(BOXES)
def test_every_tile_is_less_than_25_miles_high_and_wide(clause: BoxClause) -> None:
    for tile in clause.tiles:
        nearest = 0.0 if tile.south <= 0 <= tile.north else min(abs(tile.south), abs(tile.north))
        assert (tile.north - tile.south) * 69.41 < 25
        assert (tile.east - tile.west) * 69.41 * math.cos(math.radians(nearest)) < 25


# ---- there and back

PHRASES = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8),
        st.sampled_from(["or", "OR", "from:1", "#tag", "@name", "$cash", "example.com/a", "a-b", "(a)"]),
    ),
    min_size=1,
    max_size=4,
).map(" ".join)


def clause_of(phrase: str) -> Clause | None:
    try:
        (value,) = read_values(RuleType.TRACK, phrase.replace(",", ""))
        return translate(RuleType.TRACK, value).clause
    except ValueError:
        return None


CLAUSES: st.SearchStrategy[Clause | None] = st.one_of(
    PHRASES.map(clause_of).filter(bool),
    BOXES,
    st.builds(FollowClause, st.integers(1, 10**19).map(str), st.sampled_from(FollowScope)),
)


@given(CLAUSES)
def test_a_clause_is_read_back_from_its_filter(clause: Clause) -> None:
    assert read_filter(filter_text([clause])) == FilterValue((clause,))


SUFFIXES = st.sampled_from(["", "lang:en", "lang:en -is:retweet", "(a OR b)"])


def account_or_text(clause: Clause) -> str:
    """A group names an account once."""
    return clause.user_id if isinstance(clause, FollowClause) else str(clause)


@given(st.lists(CLAUSES, min_size=1, max_size=5, unique_by=account_or_text), SUFFIXES)
def test_packed_clauses_and_a_suffix_are_read_back(clauses: list[Clause], suffix: str) -> None:
    assert read_filter(filter_text(clauses, suffix)) == FilterValue(tuple(clauses), suffix)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    read = read_filter(text)
    assert read is None or filter_text(read.clauses, read.suffix) == text


# ---- boxes too large for any filter


def test_a_box_too_large_for_any_filter_is_refused_by_its_number_of_tiles() -> None:
    with pytest.raises(ValueError, match=r"^the box takes about 1,300,000 tiles, .* more than 100: draw a"):
        translate(RuleType.LOCATIONS, "-180,-90,180,90")
    with pytest.raises(ValueError, match=r"^the box takes about 3,000 tiles, .* place_country:XX$"):
        translate(RuleType.LOCATIONS, "-10,35,4,44")


LARGE_BOXES = st.builds(
    lambda west, south, width, height: (west, south, min(180.0, west + width), min(90.0, south + height)),
    st.floats(-180, 179).map(lambda n: round(n, 3)),
    st.floats(-90, 89).map(lambda n: round(n, 3)),
    st.floats(0.01, 30).map(lambda n: round(n, 3)),
    st.floats(0.01, 30).map(lambda n: round(n, 3)),
)


@given(LARGE_BOXES)
@settings(max_examples=25)
def test_tiles_are_counted_as_they_are_made(bounds: tuple[float, float, float, float]) -> None:
    made = sum(1 for _ in tiles_of(*bounds))
    rows = len({one.south for one in tiles_of(bounds[0], bounds[1], bounds[0], bounds[3])})
    assert number_of_tiles(*bounds) == (made if rows <= 64 else pytest.approx(made, rel=0.01))


@pytest.mark.parametrize(
    "box", ["-180,-90,180,90", "-180,-90,-179.99,90", "-180,89,180,90", "-180,0,180,0.1"]
)
def test_what_a_box_takes_to_translate_does_not_grow_with_it(box: str) -> None:
    steps = 0

    def count(_frame: FrameType, event: str, _about: object) -> Any:
        nonlocal steps
        steps += event == "line"  # a measure of work that no other load changes
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        with contextlib.suppress(ValueError):
            translate(RuleType.LOCATIONS, box)
    finally:
        sys.settrace(before)
    assert 0 < steps < 5_000
