"""Hashtags, mentions and cashtags that entities name: each is one word, whatever characters it has.

Tags here have their mark in front.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from traptor.worker.match.characters import WORD
from traptor.worker.match.tags import MARKS, is_tag
from traptor.worker.match.tokens import blanked_pieces, fold

_MARKS = MARKS.encode()
_LOWER = bytes(range(256)).lower()
_JOINERS = "\u200c\u200d"


def folded_tags(tags: Iterable[str]) -> list[str]:
    """Return them as they are compared; what joins letters joins none at the end of a word."""
    return [folded[0] + folded[1:].strip(_JOINERS) for folded in map(fold, tags)]


def with_names(text: str, tags: Collection[str]) -> tuple[str, bytes]:
    """Return `text` without those tags that would be parted in it, and its pieces and the names of `tags`.

    These are as `blanked_pieces` has them.
    """
    names = " ".join(tags).encode().translate(_LOWER, _MARKS)
    if not names.translate(None, b" _").isalnum():  # it is for ASCII alone
        names = "".join([f"{tag[1:]} " for tag in folded_tags(tags)]).encode()
        text = _without_tags(text, tags)
    return text, b"%b%b " % (blanked_pieces(text), names)


def _without_tags(text: str, tags: Iterable[str]) -> str:
    odd = [tag for tag in folded_tags(tags) if not is_tag(tag)]
    if not odd:
        return text
    folded = fold(text)
    for tag in sorted(odd, key=len, reverse=True):
        folded = re.sub(rf"(?<!{WORD}){re.escape(tag)}(?!{WORD})", " ", folded)
    return folded
