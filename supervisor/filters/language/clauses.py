"""Clauses: the form of a rule's value in X's rule language, and the filters written from them.

X's pages "Build a rule" and "Operators" (reference of 2026) fix the language: a space is AND and binds
tighter than OR, a word with punctuation stands in double quotes, every character counts towards the length.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache

import msgspec

from traptor.common.filters import FollowScope

OR = " OR "


class TermKind(Enum):
    """The ways to write a term of a track phrase."""

    WORD = "{}"
    QUOTED = '"{}"'
    HASHTAG = "#{}"
    MENTION = "@{}"
    CASHTAG = "${}"
    LINK = 'url:"{}"'


class Term(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """One term of a track phrase; `text` is without the marks of its kind."""

    kind: TermKind
    text: str

    def __str__(self) -> str:
        return self.kind.value.format(self.text)


@lru_cache(65_536)  # an app has 25,000 filters at most, and each composition asks for all of them
def _text_of_terms(terms: tuple[Term, ...]) -> str:
    return " ".join(map(str, terms))


class TrackClause(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """All of these terms, in any order."""

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return _text_of_terms(self.terms)


_FOLLOW_OPERATORS = {
    FollowScope.AUTHOR: ("from",),
    FollowScope.REPLIES: ("from", "to"),
    FollowScope.FULL: ("from", "to", "retweets_of"),
}


_FOLLOW_TEXTS = {
    scope: OR.join(f"{operator}:{{0}}" for operator in operators)
    for scope, operators in _FOLLOW_OPERATORS.items()
}


class FollowClause(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """The posts of one account and, by `scope`, those of others that refer to them."""

    user_id: str
    scope: FollowScope

    def __str__(self) -> str:
        return _FOLLOW_TEXTS[self.scope].format(self.user_id)

    @classmethod
    def from_operators(cls, user_id: str, operators: tuple[str, ...]) -> FollowClause | None:
        """Return the clause with these operators in this order, if there is one."""
        scope = next((scope for scope, known in _FOLLOW_OPERATORS.items() if known == operators), None)
        return None if scope is None else cls(user_id, scope)


class Tile(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """A box small enough for `bounding_box:`, in degrees."""

    west: float
    south: float
    east: float
    north: float

    def __str__(self) -> str:
        numbers = " ".join(f"{number:.5f}".rstrip("0").rstrip(".") for number in self.bounds)
        return f"bounding_box:[{numbers}]"

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        return self.west, self.south, self.east, self.north


class BoxClause(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """A box of the map, as the tiles that cover it."""

    tiles: tuple[Tile, ...]

    def __str__(self) -> str:
        tiles = OR.join(map(str, self.tiles))
        return tiles if len(self.tiles) == 1 else f"({tiles})"


Clause = TrackClause | FollowClause | BoxClause


def filter_text(clauses: Sequence[Clause], suffix: str = "") -> str:
    """Return the value of a filter that matches what any of the clauses matches, and the suffix as well."""
    text = OR.join(map(str, clauses))
    return f"({text}) {suffix}" if suffix else text
