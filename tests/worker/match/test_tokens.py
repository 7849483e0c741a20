"""The quick ways to split a text find the pieces that the thorough one finds."""

# ruff: noqa: RUF001 - look-alikes are meant

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traptor.worker.match.tokens import _pieces_beside_tags, ascii_pieces, blanked_pieces, fold

# Letters of all kinds of scripts, marks and joiners, emoji and what joins them, digits, and signs.
CHARACTERS = (
    "ab_#@$ ./-é…東京ありー々・ 😀☕️\u200d🏽🇩🇪"
    "안녕привЖ ١२\u0301\u3099\u20e3Ａ＃＠ςΣ\u200c\xa0\u3000\U00020001\U000e0067½²·א\u05f3ที่"
)


@settings(max_examples=2_000, deadline=None)
@given(st.text(st.sampled_from(CHARACTERS), max_size=12))
def test_pieces(text):
    assert set(blanked_pieces(text).split()) == set(_pieces_beside_tags(fold(text)).split())


def of_ascii(pieces):
    return {piece for piece in pieces.split() if piece.isascii()}


@settings(max_examples=1_000, deadline=None)
@given(st.text(st.sampled_from(CHARACTERS.replace("_", "")), max_size=12))
def test_pieces_of_ascii_are_among_the_likely_ones_and_are_sure_between_ascii(text):
    likely = ascii_pieces(text)
    assert likely is not None
    written, pieces = likely
    words = [(found[0], found.span()) for found in re.finditer(rb"\S+", pieces)]
    sure = {word for word, (start, end) in words if written[start - 1] < 0x80 and written[end] < 0x80}
    assert sure <= of_ascii(blanked_pieces(text)) <= {word for word, _span in words}


def test_no_character_makes_an_unlikely_piece_of_ascii():
    for char in map(chr, (*range(0x80, 0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE0200))):
        text = f"a{char}b {char}"
        likely = ascii_pieces(text)
        assert likely is None or of_ascii(blanked_pieces(text)) <= set(likely[1].split()), char


@pytest.mark.parametrize(
    ("text", "exact", "likely"),
    [("#é_foo", set(), None), ("2\u212a", {b"2k"}, None), ("foo\ufe0fbar ❤️", {b"foobar"}, {b"foobar"})],
)
def test_likely_pieces_are_right_or_unknown_where_text_is_parted_in_another_way(text, exact, likely):
    assert of_ascii(blanked_pieces(text)) == exact
    found = ascii_pieces(text)
    assert (found and of_ascii(found[1])) == likely
