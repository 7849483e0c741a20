"""Characters in the values of rules that nobody sees, and that keep a value from finding anything."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Of category Cf, what is seen: number signs of several scripts (Prepended_Concatenation_Mark), and what
# arranges hieroglyphs. The tags that make regional flags, at U+E0000, are not looked for.
_SEEN = frozenset(
    (0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x600, 0x606), *range(0x13430, 0x13460))
)
# Of other categories, what is not (Default_Ignorable_Code_Point), but for the selectors of emoji style.
_UNSEEN = (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0)
_JOINERS = "\u200c\u200d"  # inside of words they are letters' business


def _class_of(codes: Iterable[int]) -> str:
    return "".join(f"\\U{code:08x}" for code in codes)


_CF = [code for code in range(0x80, 0x20000) if unicodedata.category(chr(code)) == "Cf" and code not in _SEEN]
_INVISIBLE = f"[{_class_of([*_CF, *_UNSEEN])}]"
_INSIDE = re.compile(f"(?![{_JOINERS}]){_INVISIBLE}")
# Blanks, commas and the marks of tags are where words begin.
_EDGES = re.compile(rf"(?<![^\s,#@$＃＠]){_INVISIBLE}+|{_INVISIBLE}+(?![^\s,])")  # noqa: RUF001 - meant


def without_invisible(text: str) -> tuple[str, str]:
    """Return a value without invisible characters at the edges of its words, and what its owner should know.

    The second is a sentence; empty where there are none.
    """
    if text.isascii():
        return text, ""
    visible = _EDGES.sub("", text)
    left_out = {character for edge in _EDGES.findall(text) for character in edge}
    inside = set(_INSIDE.findall(visible))
    doubts = []
    if left_out:
        doubts.append(f"invisible characters at the edges of words are left out: {_named(left_out)}")
    if inside:
        doubts.append(f"a word with an invisible character inside finds only the same: {_named(inside)}")
    return visible, "; ".join(doubts)


def _named(characters: Iterable[str]) -> str:
    return ", ".join(f"U+{ord(character):04X}" for character in sorted(characters))
