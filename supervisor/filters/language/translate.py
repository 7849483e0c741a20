"""Translate the value of a rule into a clause of X's rule language, with the losses and extras.

A test compares the table of docs/rules.md with this module.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from traptor.common.filters import FollowScope
from traptor.common.rules.rule import RuleType
from traptor.common.text import shown
from traptor.supervisor.filters.language.clauses import (
    BoxClause,
    Clause,
    FollowClause,
    Term,
    TermKind,
    TrackClause,
)
from traptor.supervisor.filters.language.differences import Difference
from traptor.supervisor.filters.language.tiles import MOST_TILES, SMALLER, number_of_tiles, tiles_of

_RESERVED = frozenset({"or", "and", "not"})  # it is unknown whether X takes them in lower case for operators
_MENTION = re.compile(r"@([a-z0-9_]+)")
_CASHTAG = re.compile(r"\$([a-z]{1,6}(?:[._][a-z]{1,2})?)")
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_LINK = re.compile(rf"(?:https?://)?({_LABEL}(?:\.{_LABEL})*\.[a-z]{{2,}}(?:/[^\s\"]*)?)")
_IN_HASHTAGS = "_\u00b7\u200c\u200d\u30fb\u05f3\u05f4"  # allowed inside tags, but separate words
_EMOJI_FORMS = "\ufe0e\ufe0f\u20e3"  # marks by category, but X wants what has one in quotes
_OF_WORDS = frozenset({Difference.LINK_WORDS, Difference.TAG_WORDS})
_UNQUOTABLE = str.maketrans({'"': " ", "\\": " "})  # how X escapes them is documented nowhere


@dataclass(frozen=True, slots=True)
class Translation:
    """A value's clause, and what it finds less and more than v1.1 did."""

    clause: Clause
    differences: frozenset[Difference]


def translate(rule_type: RuleType, value: str, scope: FollowScope = FollowScope.FULL) -> Translation:
    """Return the clause of one normalised value (`Rule.values`); `scope` is for follow.

    Raises ValueError, a sentence for the rule's owner, when no clause can express it.
    """
    match rule_type:
        case RuleType.TRACK:
            return _track(value)
        case RuleType.FOLLOW:
            return _follow(value, scope)
        case RuleType.LOCATIONS:
            return _box(value)


def _follow(user_id: str, scope: FollowScope) -> Translation:
    lost = {
        FollowScope.AUTHOR: {Difference.REPLIES, Difference.REPOSTS},
        FollowScope.REPLIES: {Difference.MANUAL_REPLIES, Difference.REPOSTS},
        FollowScope.FULL: {Difference.MANUAL_REPLIES},
    }
    return Translation(FollowClause(user_id, scope), frozenset(lost[scope]))


def _box(value: str) -> Translation:
    west, south, east, north = map(float, value.split(","))
    tiles = number_of_tiles(west, south, east, north)
    if tiles > MOST_TILES:  # the whole world takes a million: they are never made
        raise ValueError(
            f"the box takes about {_rounded(tiles):,} tiles, and no filter has room for more than"
            f" {MOST_TILES}: {SMALLER}"
        )
    clause = BoxClause(tuple(tiles_of(west, south, east, north)))
    return Translation(clause, frozenset({Difference.LARGE_PLACES}))


def _rounded(number: int) -> int:
    """Return a number above 99 with its first two digits only."""
    return round(number, 2 - len(str(number)))


def _track(phrase: str) -> Translation:
    terms: list[Term] = []
    differences: set[Difference] = set()
    for text in phrase.split():
        found = [*_terms(text)]
        if not found:  # of punctuation alone: X cannot be asked for it
            differences.add(Difference.PUNCTUATION)
        for term, named in found:
            terms.append(term)
            differences |= named
    if not terms:
        raise ValueError(f"the phrase {shown(phrase)} has nothing that X could find")
    return Translation(TrackClause(tuple(dict.fromkeys(terms))), frozenset(differences))


def _terms(text: str) -> Iterator[tuple[Term, set[Difference]]]:
    if text.startswith(("#", "\uff03")):
        yield _hashtag(text), set()
    elif match := _MENTION.fullmatch(text):
        yield Term(TermKind.MENTION, match[1]), set()
    elif match := _CASHTAG.fullmatch(text):
        yield Term(TermKind.CASHTAG, match[1]), set()
    elif match := _LINK.fullmatch(text):
        yield Term(TermKind.LINK, match[1].rstrip("/")), {Difference.LONGER_LINKS}
    elif all(map(_is_of_a_word, text)) and text not in _RESERVED:
        yield Term(TermKind.WORD, text), {*_OF_WORDS}
    else:
        yield from _quoted(text)


def _hashtag(text: str) -> Term:
    name = text[1:]
    if not name or not all(_is_of_a_word(char) or char in _IN_HASHTAGS for char in name):
        raise ValueError(
            f"{shown(text)} is no hashtag: one has letters, digits and _ only; take the other characters away"
        )
    return Term(TermKind.HASHTAG, name)


def _quoted(text: str) -> Iterator[tuple[Term, set[Difference]]]:
    words = " ".join(text.translate(_UNQUOTABLE).split())
    if any(_counts(char) for char in words):
        named = {*_OF_WORDS}
        if words != text:
            named.add(Difference.DOUBLE_QUOTES)
        if not all(map(_is_of_a_word, words)):
            named.add(Difference.PUNCTUATION)
        yield Term(TermKind.QUOTED, words), named


def _is_of_a_word(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN" and char not in _EMOJI_FORMS


def _counts(char: str) -> bool:
    """Tell whether a token can consist of the character: punctuation only separates tokens."""
    return unicodedata.category(char)[0] in "LMNS"
