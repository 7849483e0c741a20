"""Suggest the known name that an unknown name in the configuration resembles."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a suggestion to append to a message about an unknown name; empty when none is similar."""
    for match in difflib.get_close_matches(word, list(known), n=1):
        return f"; did you mean {match}?"
    return ""


def unknown_member(word: str, known: tuple[str, ...]) -> str:
    """Return the message about an unknown member of a key.

    The word is repeated only where it resembles a known one: it may be part of a misplaced secret.
    """
    hint = did_you_mean(word, known)
    if hint:
        return f"a key has no member {word}{hint}"
    return f"a key has no such member; it may have {', '.join(known)}"
