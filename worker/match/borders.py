"""Find the borders of terms with inner punctuation, such as `covid-19`, in a text that went through `fold`.

Their borders are those of words without punctuation, except that a number or an address is one word.
"""

# ruff: noqa: RUF001 - the look-alikes in the tables below are meant

from __future__ import annotations

import re

from traptor.worker.match.characters import (
    FLAG_HALF,
    IDEOGRAPH,
    IN_ADDRESS,
    JOINER,
    MODIFIER,
    PLAIN,
    SYMBOL,
)
from traptor.worker.match.tags import tag_around

_IN_NUMBER = "[.,'’٫٬]"  # between digits (UAX #29, MidNum and MidNumLet)
_AFTER_PICTURE = rf"(?<={SYMBOL}|{MODIFIER})"
# The text continues the word across this place, whatever the term.
_UNBROKEN = "|".join(
    (
        rf"(?<={IDEOGRAPH}){IDEOGRAPH}",
        rf"{_AFTER_PICTURE}(?:\u200d|{MODIFIER})",
        rf"(?<={FLAG_HALF}){FLAG_HALF}",
    )
)
# The term ends or begins here, inside a word of the text.
_GOES_ON = re.compile(
    rf"(?<!{IDEOGRAPH}|{SYMBOL}|{MODIFIER}){PLAIN}|(?<={PLAIN}){JOINER}{PLAIN}|(?<=\d){_IN_NUMBER}\d|{_UNBROKEN}"
)
_WENT_BEFORE = re.compile(
    rf"(?<={PLAIN})(?!{IDEOGRAPH}|{SYMBOL})|(?<={PLAIN}{JOINER}){PLAIN}|(?<=\d{_IN_NUMBER})\d|(?<=\u200d){SYMBOL}"
    rf"|{_UNBROKEN}"
)

# A longer run of punctuation is a border in any case: this bounds the time for text that is nothing else.
_MOST = 64
_ADDRESS_GOES_ON = re.compile(rf"{IN_ADDRESS}{{1,{_MOST}}}+{PLAIN}")
_ADDRESS_WENT_BEFORE = re.compile(rf"{PLAIN}{IN_ADDRESS}+\Z")
_QUERY = re.compile(rf"{IN_ADDRESS}{{0,{_MOST}}}?[?#]")
_BEFORE_HOST = re.compile(r"(?:https?://(?:www\.)?|www\.)\Z")
_LONGEST_BEFORE_HOST = len("https://www.")
_NEVER = re.compile(r"(?:https?://)?www\.")


def has_word(text: str, term: str) -> bool:
    """Tell whether `term` occurs in `text` as a whole word, or as the name of a tag."""
    if _NEVER.match(term):
        return False
    is_address = "." in term or "/" in term
    at = text.find(term)
    while at >= 0:
        if _is_word(text, at, at + len(term), is_address):
            return True
        at = text.find(term, at + 1)
    return False


def _is_word(text: str, start: int, end: int, is_address: bool) -> bool:
    tag = tag_around(text, start)
    if tag is not None:
        return tag.span(1) == (start, end)
    if tag_around(text, end) is not None or _GOES_ON.match(text, end):
        return False
    return _is_address(text, start, end) if is_address else not _WENT_BEFORE.match(text, start)


def _is_address(text: str, start: int, end: int) -> bool:
    """Tell whether the range is a whole address: all of it but scheme, `www.`, query and fragment."""
    before = _BEFORE_HOST.search(text, max(0, start - _LONGEST_BEFORE_HOST), start)
    if before is not None:
        start = before.start()
    if _WENT_BEFORE.match(text, start) or _ADDRESS_WENT_BEFORE.search(text, max(0, start - _MOST), start):
        return False
    return _ADDRESS_GOES_ON.match(text, end) is None or (
        before is not None and _QUERY.match(text, end) is not None
    )
