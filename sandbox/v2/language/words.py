"""Split a text into the tokens that keywords and phrases are compared with.

X, "Filtered stream operators": tokens end at punctuation, symbols and separators; case does not matter,
accents do. An emoji with its modifiers is one token.
"""

from __future__ import annotations

import re
import unicodedata

_PICTURE = "[\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001f1e5\U0001f200-\U0001faff]"
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
_SKIN = "[\U0001f3fb-\U0001f3ff]"
_JOINER = "\u200d"
_STYLES = ("\ufe0e", "\ufe0f")  # emoji are compared without them
_EMOJI = re.compile(f"{_FLAG}|{_PICTURE}{_SKIN}*(?:{_JOINER}{_PICTURE}{_SKIN}*)*")
_OF_EMOJI = re.compile(f"{_PICTURE}|{_SKIN}|[\U0001f1e6-\U0001f1ff\u200c\u200d]")  # joiners join letters, too

# X's list of words that are too frequent to be searched for alone.
_FREQUENT = """
a an and at but by com from http https if in is it its me my or rt the this to too via we www you
"""
STOP_WORDS = frozenset(_FREQUENT.split())


class _Breaks(dict[int, str]):
    """Maps each character to itself or, if it ends a token, to a blank; looked up in Unicode once."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        self[code] = char if is_of_token(char) else " "
        return self[code]


_breaks = _Breaks()


def is_of_token(char: str) -> bool:
    """Tell whether a character may stand in a keyword without quotes."""
    if char in _STYLES:
        return False
    return unicodedata.category(char)[0] in "LNM" or _OF_EMOJI.fullmatch(char) is not None


def fold(text: str) -> str:
    """Return the text as used for comparison: composed, in lower case, emoji without style."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFC", text).lower().replace("ς", "\u03c3")
    for style in _STYLES:
        folded = folded.replace(style, "")
    return folded


def split(text: str) -> list[str]:
    """Return the tokens of a text, folded, in order."""
    folded = fold(text)
    if not folded.isascii():
        folded = _EMOJI.sub(r" \g<0> ", folded)
    return folded.translate(_breaks).split()


def spaced(tokens: list[str]) -> str:
    """Return the tokens with a blank around each, so that a phrase is a substring."""
    return f" {' '.join(tokens)} "
