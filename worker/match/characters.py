"""Classes of characters for regular expressions, by Unicode category or property.

Each constant but the set at the end is a pattern that matches one character.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator
from operator import itemgetter
from typing import Final


def _codes() -> Iterator[int]:
    """Yield code points beyond ASCII: above the emoji planes are only ideographs, private use, selectors."""
    return itertools.chain(range(0x80, 0x20000), range(0xE0100, 0xE01F0))


def _runs() -> Iterator[tuple[str, int, int]]:
    """Yield the runs of characters of one Unicode category: category, first and last code point."""
    categories = zip(map(unicodedata.category, map(chr, _codes())), _codes(), strict=True)
    for category, run in itertools.groupby(categories, itemgetter(0)):
        members = [code for _, code in run]
        yield category, members[0], members[-1]


_RUNS: Final = tuple(_runs())


def _members(*categories: str) -> str:
    """Return the inside of a character class: all characters of these categories beyond ASCII."""
    # Not as escapes: re would take a call for each character of them, 300,000 at every start.
    return "".join(f"{chr(first)}-{chr(last)}" for category, first, last in _RUNS if category in categories)


_LETTERS: Final = _members("Lu", "Ll", "Lt", "Lm", "Lo") + r"\U00020000-\U0003ffff"
_MARKS: Final = _members("Mn", "Mc", "Me")  # accents and vowel signs; the re module does not count them as \w
_DIGITS: Final = _members("Nd")
# Letters and marks only: not the middle dot, not the double hyphen of katakana.
_IDEOGRAPHS: Final = (
    r"\u3005-\u3007\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)

FOREIGN: Final = r"[^\x00-\x7f]"
WORD: Final = rf"[\w{_MARKS}]"
IDEOGRAPH: Final = f"[{_IDEOGRAPHS}]"
"""Ideographs and kana: scripts without blanks between words."""
PLAIN: Final = rf"(?:[^\W_{_IDEOGRAPHS}]|[{_MARKS}])"
"""What words of all other scripts are made of."""
JOINER: Final = r"[\u200c\u200d]"
"""Shapes the letters beside it and parts no word (UAX #31, "Layout and Format Control Characters")."""
SYMBOL: Final = f"[{_members('So')}]"
MODIFIER: Final = r"[\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
"""Skin tones, and the tags that make a regional flag."""
FLAG_HALF: Final = r"[\U0001f1e6-\U0001f1ff]"

# Characters that twitter-text allows in a hashtag besides letters, marks, digits and `_`
# (hashtagSpecialChars).
_TAG_SPECIALS: Final = (
    "\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\xb7"
)
IN_TAG: Final = rf"[a-z0-9_{_LETTERS}{_MARKS}{_DIGITS}{_TAG_SPECIALS}]"
LETTER_OR_MARK: Final = rf"[a-z{_LETTERS}{_MARKS}]"
BEFORE_NO_HASHTAG: Final = rf"[\w{_MARKS}{_TAG_SPECIALS}&/]"
BEFORE_NO_CASHTAG: Final = rf"[\w{_MARKS}&/]"
LATIN_ACCENT: Final = (
    r"[\xc0-\xd6\xd8-\xf6\xf8-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268\u026f\u0272\u0289\u028b"
    r"\u02bb\u0300-\u036f\u1e00-\u1eff]"
)
"""What may not follow a screen name (twitter-text, latinAccentChars)."""
IN_ADDRESS: Final = rf"[!#$%&()*+,\-./:;=?@_~{_members('Pd', 'Pc')}]"
"""Punctuation that may stand inside an address (RFC 3986; not the apostrophe), and hyphens of any kind."""

ONLY_IN_TAGS: Final = frozenset(_TAG_SPECIALS) | frozenset(
    chr(code)
    for category, first, last in _RUNS
    if category in ("Nl", "No")
    for code in range(first, last + 1)
)
"""The characters at which a hashtag goes on and other words end, or the reverse. (A set.)"""
