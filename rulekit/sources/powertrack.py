"""Translate a rule of Gnip's PowerTrack to the value of a rule here; pure.

Only what means the same is translated. Everything else is refused with the operator's name, because a rule
that collects something else is worse than none.
"""

from __future__ import annotations

import re
from itertools import product

from traptor.common.rules.rule import RuleType
from traptor.common.text import quoted

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<paren>[()])
  | (?P<negated>-)
  | (?P<or>OR\b|\|\|)
  | (?P<operator>[A-Za-z_]+):(?P<argument>"[^"]*"|\[[^\]]*\]|[^\s()]+)
  | "(?P<phrase>[^"]*)"
  | (?P<word>[^\s()"]+)
)""",
    re.VERBOSE,
)
_MOST_ALTERNATIVES = 1_000

Term = tuple[str, str]  # "word", or an operator, and its content
Alternative = tuple[Term, ...]  # terms that must all hold


def translate(text: str, rule_type: RuleType) -> str:
    """Return the value that means the same. Raises ValueError naming what has no equivalent."""
    alternatives = _Parser(text).alternatives()
    match rule_type:
        case RuleType.TRACK:
            parts = [" ".join(_word(term) for term in terms) for terms in alternatives]
        case RuleType.FOLLOW:
            parts = [_only(terms, "from", "a follow rule") for terms in alternatives]
        case RuleType.LOCATIONS:
            parts = [_box(_only(terms, "bounding_box", "a locations rule")) for terms in alternatives]
    return ",".join(dict.fromkeys(parts))


class _Parser:
    """Reads a rule as alternatives of terms; OR binds less than the space, which is AND."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def alternatives(self) -> list[Alternative]:
        found = self._any()
        if self._at < len(self._tokens):
            raise ValueError("a parenthesis is closed that was not opened")
        return found

    def _any(self) -> list[Alternative]:
        found = self._all()
        while self._next() == ("or", ""):
            self._at += 1
            found += self._all()
        return found

    def _all(self) -> list[Alternative]:
        found: list[Alternative] = [()]
        while (token := self._next()) not in (None, ("or", ""), ("paren", ")")):
            assert token is not None
            found = [before + more for before, more in product(found, self._one(token))]
            if len(found) > _MOST_ALTERNATIVES:
                raise ValueError(f"more than {_MOST_ALTERNATIVES} alternatives when it is written out")
        if found == [()]:
            raise ValueError("a part of the rule is empty")
        return found

    def _one(self, token: Term) -> list[Alternative]:
        self._at += 1
        if token[0] == "negated":
            raise ValueError("a negation (-) has no equivalent")
        if token != ("paren", "("):
            return [(token,)]
        inner = self._any()
        if self._next() != ("paren", ")"):
            raise ValueError("a parenthesis is not closed")
        self._at += 1
        return inner

    def _next(self) -> Term | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None


def _tokens(text: str) -> list[Term]:
    found, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"a quotation mark is not closed: {quoted(text[at:])}")
        at = match.end()
        found.append(_token(match))
    return found


def _token(match: re.Match[str]) -> Term:
    if match["operator"]:
        return match["operator"].lower(), match["argument"].strip('"')
    kind = match.lastgroup or ""
    return kind, "" if kind in ("or", "negated") else match[kind]


def _word(term: Term) -> str:
    kind, content = term
    if kind == "word":
        if "," in content:
            raise ValueError(f"the comma in {quoted(content)} would separate alternatives")
        return content
    if kind == "phrase":
        if len(content.split()) == 1 and "," not in content:
            return content.strip()
        raise ValueError(f'the exact phrase "{content[:60]}" has no equivalent: words match in any order')
    raise ValueError(f"the operator {kind}: has no equivalent in a track rule")


def _only(terms: Alternative, operator: str, where: str) -> str:
    if len(terms) != 1 or terms[0][0] != operator:
        other = next((kind for kind, _ in terms if kind != operator), operator)
        what = "a word" if other in ("word", "phrase") else f"the operator {other}:"
        raise ValueError(f"{what} has no equivalent in {where}, which consists of {operator}: alone")
    return terms[0][1]


def _box(argument: str) -> str:
    numbers = argument.strip("[]").replace(",", " ").split()
    if len(numbers) != 4:
        raise ValueError(f"bounding_box:{argument[:60]} has not four numbers")
    return ",".join(numbers)
