"""Invisible characters in the values of rules, which keep a value from matching anything."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

# Visible characters of category Cf: number signs of several scripts (Prepended_Concatenation_Mark) and the
# format controls of hieroglyphs. The tags of regional flags, at U+E0000, are not considered.
_SEEN = frozenset(
    (0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x600, 0x606), *range(0x13430, 0x13460))
)
# Invisible characters of other categories (Default_Ignorable_Code_Point), except the emoji variation
# selectors.
_UNSEEN = (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0)
_JOINERS = "\u200c\u200d"  # legitimate between the letters of a word


def _class_of(codes: Iterable[int]) -> str:
    return "".join(f"\\U{code:08x}" for code in codes)


@cache  # of commands, most need neither: making them takes some 50 ms
def _edges_and_inside() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what finds invisible characters at the edges of words, and within them."""
    categories = enumerate(map(unicodedata.category, map(chr, range(0x80, 0x20000))), start=0x80)
    formats = [code for code, category in categories if category == "Cf" and code not in _SEEN]
    invisible = f"[{_class_of([*formats, *_UNSEEN])}]"
    # Words begin after blanks, commas and tag marks.
    edges = rf"(?<![^\s,#@$＃＠]){invisible}+|{invisible}+(?![^\s,])"  # noqa: RUF001 - meant
    return re.compile(edges), re.compile(f"(?![{_JOINERS}]){invisible}")


def without_invisible(text: str) -> tuple[str, str]:
    """Return a value without invisible characters at word edges, and a warning for its owner.

    The warning is one sentence, or empty.
    """
    if text.isascii():
        return text, ""
    edges, within = _edges_and_inside()
    visible = edges.sub("", text)
    left_out = {character for edge in edges.findall(text) for character in edge}
    inside = set(within.findall(visible))
    doubts = []
    if left_out:
        doubts.append(f"invisible characters at the edges of words are left out: {_named(left_out)}")
    if inside:
        doubts.append(f"a word with an invisible character inside finds only the same: {_named(inside)}")
    return visible, "; ".join(doubts)


def invisible_in(text: str) -> str:
    """Return the names of invisible characters that keep a text from matching; "" where there are none."""
    if text.isascii():
        return ""
    edges, within = _edges_and_inside()
    return _named({*"".join(edges.findall(text)), *within.findall(text)})


def _named(characters: Iterable[str]) -> str:
    return ", ".join(f"U+{ord(character):04X}" for character in sorted(characters))
