"""Read a filter's value at X back into clauses, as far as this program wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from traptor.supervisor.filters.language.clauses import (
    OR,
    BoxClause,
    Clause,
    FollowClause,
    Term,
    TermKind,
    Tile,
    TrackClause,
    filter_text,
)

_FOLLOW = re.compile(r"(from|to|retweets_of):([0-9]+)")
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_TILE = re.compile(rf"bounding_box:\[({_NUMBER}) ({_NUMBER}) ({_NUMBER}) ({_NUMBER})\]")
# The longest forms first; a word contains no mark of another kind.
_TERM = re.compile(
    r'url:"(?P<LINK>[^"]+)"|"(?P<QUOTED>[^"]+)"|#(?P<HASHTAG>[^\s"():]+)|@(?P<MENTION>\w+)'
    r'|\$(?P<CASHTAG>[^\s"():]+)|(?P<WORD>[^\s"():\[\]#@$]+)'
)
_OPERATORS = re.compile(r"from:|to:|retweets_of:|\(?bounding_box:")


@dataclass(frozen=True, slots=True)
class FilterValue:
    """A filter's value in its parts."""

    clauses: tuple[Clause, ...]
    suffix: str = ""


def read_filter(text: str) -> FilterValue | None:
    """Return the clauses and the suffix from which `filter_text` makes `text`, or None."""
    inner, suffix = _without_suffix(text)
    alternatives = _alternatives(inner)
    clauses = alternatives and _clauses(alternatives)
    if not clauses or filter_text(clauses, suffix) != text:
        return None
    return FilterValue(tuple(clauses), suffix)


def _without_suffix(text: str) -> tuple[str, str]:
    end = next((at for at, char in _outside(text) if char == ")"), None) if text.startswith("(") else None
    if end is None:
        return text, ""
    rest = text[end + 1 :]
    if not rest.startswith(" ") or rest.startswith(OR) or not rest.strip():
        return text, ""
    return text[1:end], rest[1:]


def _outside(text: str) -> Iterator[tuple[int, str]]:
    """Yield the text outside of quotes and parentheses, with the closing ones."""
    quoted, depth = False, 0
    for at, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif not quoted:
            depth += (char == "(") - (char == ")")
            if depth == 0:
                yield at, char


def _alternatives(text: str) -> list[str]:
    """Split the text at each OR outside of quotes and parentheses."""
    starts = [at for at, char in _outside(text) if char == " " and text.startswith(OR, at)]
    bounds = zip([0, *(at + len(OR) for at in starts)], [*starts, len(text)], strict=True)
    return [text[start:end] for start, end in bounds]


def _clauses(alternatives: list[str]) -> list[Clause] | None:
    clauses: list[Clause] = []
    for operator, group in groupby(alternatives, _operator_of):
        members = list(group)
        match operator:
            case "":
                found: list[Clause] | None = _track_clauses(members)
            case "bounding_box":
                found = _box_clauses(members)
            case _:
                found = _follow_clauses(members)
        if found is None:
            return None
        clauses += found
    return clauses


def _operator_of(alternative: str) -> str:
    """Tell which clauses the alternative may belong to; those of one account stand side by side."""
    match = _OPERATORS.match(alternative)
    if match is None:
        return ""
    return "bounding_box" if match[0].endswith("bounding_box:") else "follow"


def _track_clauses(alternatives: list[str]) -> list[Clause] | None:
    clauses: list[Clause] = []
    for text in alternatives:
        terms: list[Term] = []
        at = 0
        while (match := _TERM.match(text, at)) is not None:
            terms.append(Term(TermKind[match.lastgroup or ""], match[match.lastgroup or ""]))
            at = match.end()
            if at == len(text):
                break
            if text[at] != " ":
                return None
            at += 1
        if not terms or at != len(text):
            return None
        clauses.append(TrackClause(tuple(terms)))
    return clauses


def _follow_clauses(alternatives: list[str]) -> list[Clause] | None:
    operators: list[tuple[str, str]] = []
    for text in alternatives:
        match = _FOLLOW.fullmatch(text)
        if match is None:
            return None
        operators.append((match[2], match[1]))
    clauses: list[Clause] = []
    for user_id, group in groupby(operators, lambda one: one[0]):
        clause = FollowClause.from_operators(user_id, tuple(operator for _, operator in group))
        if clause is None:
            return None
        clauses.append(clause)
    return clauses


def _box_clauses(alternatives: list[str]) -> list[Clause] | None:
    clauses: list[Clause] = []
    for text in alternatives:
        inner = text[1:-1] if text.startswith("(") and text.endswith(")") else text
        tiles = [_TILE.fullmatch(tile) for tile in inner.split(OR)]
        if not all(tiles) or (len(tiles) > 1) != (inner is not text):
            return None
        clauses.append(BoxClause(tuple(Tile(*map(float, tile.groups())) for tile in tiles if tile)))
    return clauses
