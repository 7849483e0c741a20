"""What an unknown name in the configuration may have been meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What to append to a message about an unknown name: the known one that is most like it, if one is."""
    for match in difflib.get_close_matches(word, list(known), n=1):
        return f"; did you mean {match}?"
    return ""


def unknown_member(word: str, known: tuple[str, ...]) -> str:
    """The message about an unknown member of a key.

    The word is repeated only where it is like a known one: it may be a piece of a secret in the wrong place.
    """
    hint = did_you_mean(word, known)
    if hint:
        return f"a key has no member {word}{hint}"
    return f"a key has no such member; it may have {', '.join(known)}"
