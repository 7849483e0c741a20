"""The quick ways to split a text find the pieces that the thorough one finds."""

# ruff: noqa: RUF001 - look-alikes are meant

from hypothesis import given, settings
from hypothesis import strategies as st

from traptor.worker.match.tokens import _pieces_beside_tags, blanked_pieces, fold

# Letters of all kinds of scripts, marks and joiners, emoji and what joins them, digits, and signs.
CHARACTERS = (
    "ab_#@$ ./-é…東京ありー々・ 😀☕️\u200d🏽🇩🇪"
    "안녕привЖ ١२\u0301\u3099\u20e3Ａ＃＠ςΣ\u200c\xa0\u3000\U00020001\U000e0067½²·א\u05f3ที่"
)


@settings(max_examples=2_000, deadline=None)
@given(st.text(st.sampled_from(CHARACTERS), max_size=12))
def test_pieces(text):
    assert set(blanked_pieces(text).split()) == set(_pieces_beside_tags(fold(text)).split())
