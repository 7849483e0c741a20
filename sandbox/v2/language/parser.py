"""The grammar: terms, a blank for AND, OR, a minus for NOT, and groups in parentheses."""

from __future__ import annotations

import re

from traptor.sandbox.v2.language import content
from traptor.sandbox.v2.language.dialect import STREAM, Dialect
from traptor.sandbox.v2.language.errors import InvalidRule
from traptor.sandbox.v2.language.nodes import Both, Either, Node, Not, Sign, Term
from traptor.sandbox.v2.language.operators import Argument, make_term
from traptor.sandbox.v2.language.words import is_of_token, split

_DEEPEST = 50
_BLANKS = re.compile(r"\s*")
_OR = re.compile(r"OR(?=[\s()]|$)")
_OPERATOR = re.compile(r"([A-Za-z][A-Za-z_]*):")
_BARE = re.compile(r'[^\s()"]*')
_QUOTED = re.compile(r'"([^"]*)"')
_BRACKETED = re.compile(r"\[([^\[\]]*)\]")
_DISTANCE = re.compile(r"~([0-9]*)")
_HASHTAG = re.compile(r'#([^\s()"]+)')
_MENTION = re.compile(r"@([A-Za-z0-9_]{1,20})")
_CASHTAG = re.compile(r"\$([A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?)")
# Characters that X's open-source text library accepts in a hashtag, although they are punctuation.
_IN_HASHTAGS = dict.fromkeys(
    map(ord, "_\u00b7\u05be\u05f3\u05f4\u0f0b\u0f0c\u301c\u3003\u30a0\u30fb\uff5e\ua67e"), "x"
)
_RESERVED = frozenset({"and", "or", "not"})


def parse(text: str, dialect: Dialect = STREAM) -> Node:
    """Return the tree of a rule. Raises InvalidRule."""
    return _Parser(text, dialect).rule()


class _Parser:
    """Reads a rule from left to right; `_at` is its position."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self._text = text
        self._dialect = dialect
        self._at = 0
        self._depth = 0

    def rule(self) -> Node:
        tree = self._alternatives()
        if self._at < len(self._text):
            raise self._refuse("missing '(' for this ')'")
        return tree

    def _alternatives(self) -> Node:
        parts = [self._sequence()]
        while self._take(_OR) is not None:
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while not self._is_at_end_of_sequence():
            parts.append(self._item())
        if not parts:
            raise self._refuse("a keyword, an operator or a group is expected")
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _is_at_end_of_sequence(self) -> bool:
        self._take(_BLANKS)
        return self._next() in ("", ")") or _OR.match(self._text, self._at) is not None

    def _item(self) -> Node:
        start = self._at
        is_negated = self._next() == "-"
        if is_negated:
            self._at += 1
        if self._next() == "(":
            if is_negated:
                raise InvalidRule("a group cannot be negated; negate each of its terms", start + 1)
            return self._group()
        term = self._term()
        self._must_end_here()
        if is_negated and term.sign is Sign.POSITIVE:
            raise InvalidRule("this operator cannot be negated", start + 1)
        if not is_negated and term.sign is Sign.NEGATIVE:
            raise InvalidRule("this operator must be negated", start + 1)
        return Not(term) if is_negated else term

    def _group(self) -> Node:
        start = self._at
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._refuse("too many groups within one another")
        self._at += 1
        tree = self._alternatives()
        if self._next() != ")":
            raise InvalidRule("missing ')' for this '('", start + 1)
        self._at += 1
        self._depth -= 1
        return tree

    def _term(self) -> Term:
        start = self._at
        operator = self._take(_OPERATOR)
        if operator is None:
            return self._dialect.about_content(self._content())
        return make_term(operator[1], self._argument(), start + 1, self._dialect.operators)

    def _content(self) -> Term:
        sign = self._next()
        if sign == '"':
            return self._phrase()
        if sign == "#":
            return self._hashtag()
        if sign == "@":
            return content.mention(self._must(_MENTION, "a mention")[1])
        if sign == "$":
            return content.cashtag(self._must(_CASHTAG, "a cashtag")[1])
        return self._keyword()

    def _phrase(self) -> Term:
        start = self._at
        tokens = split(self._quoted())
        if not tokens:
            raise InvalidRule("a phrase without a letter, digit or emoji finds nothing", start + 1)
        distance = self._take(_DISTANCE)
        if distance is None:
            return content.phrase(tokens)
        if not distance[1] or not 1 <= int(distance[1]) <= content.MOST_TOKENS_APART or len(tokens) < 2:
            most = content.MOST_TOKENS_APART
            raise InvalidRule(f"proximity takes two keywords or more and 1 to {most} tokens", start + 1)
        return content.near(tokens, int(distance[1]))

    def _hashtag(self) -> Term:
        start = self._at
        tag = self._must(_HASHTAG, "a hashtag")[1]
        _check_characters(tag.translate(_IN_HASHTAGS), start + 1)
        return content.hashtag(tag)

    def _keyword(self) -> Term:
        start = self._at
        word = self._must(_BARE, "a keyword")[0]
        _check_characters(word, start)
        if word.lower() in _RESERVED:
            reason = f"ambiguous use of {word!r}: a blank joins, OR is upper case, the word needs quotes"
            raise InvalidRule(reason, start + 1)
        tokens = split(word)
        if not tokens:
            raise InvalidRule("a keyword is expected", start + 1)
        return content.phrase(tokens)

    def _argument(self) -> Argument:
        start = self._at
        if self._next() == '"':
            return Argument(self._quoted(), start + 1, '"')
        if self._next() == "[":
            return Argument(self._must(_BRACKETED, "']' to this '['")[1], start + 1, "[")
        return Argument(self._must(_BARE, "an argument")[0], start + 1)

    def _quoted(self) -> str:
        return self._must(_QUOTED, "a closing quote to this one")[1]

    def _must_end_here(self) -> None:
        following = self._next()
        if following and following not in "()" and not following.isspace():
            raise self._refuse(f"no viable alternative at character {following!r}; a blank is expected")

    def _must(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        found = self._take(pattern)
        if found is None:
            raise self._refuse(f"{what} is expected")
        return found

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _refuse(self, reason: str) -> InvalidRule:
        return InvalidRule(reason, self._at + 1)


def _check_characters(word: str, start: int) -> None:
    for offset, char in enumerate(word):
        if not is_of_token(char):
            reason = f"no viable alternative at character {char!r}; put punctuation into quotes"
            raise InvalidRule(reason, start + offset + 1)
