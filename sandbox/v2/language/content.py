"""Terms about what a post says: keywords, phrases, entities and links."""

from __future__ import annotations

from traptor.sandbox.v2.language.facts import Content, Facts
from traptor.sandbox.v2.language.nodes import Term
from traptor.sandbox.v2.language.words import STOP_WORDS, fold, spaced

MOST_TOKENS_APART = 6


def phrase(tokens: list[str]) -> Term:
    """Return a term for a keyword, or for several tokens that must follow one another."""
    text = spaced(tokens)

    def test(facts: Facts) -> bool:
        return any(text in content.spaced for content in facts.contents)

    return Term(test, frozenset({_rarest(tokens)}), is_stop_word=STOP_WORDS.issuperset(tokens))


def near(tokens: list[str], distance: int) -> Term:
    """Return a term for tokens with at most `distance` others in between, in any order.

    By X's rule for two tokens, in the opposite order they may be `distance` - 2 apart.
    """

    def test(facts: Facts) -> bool:
        return any(_spread(content, tokens) <= distance for content in facts.contents)

    return Term(test, frozenset({_rarest(tokens)}), is_stop_word=STOP_WORDS.issuperset(tokens))


def hashtag(tag: str) -> Term:
    """Return a term for a whole hashtag."""
    text = fold(tag)
    return Term(lambda facts: any(text in c.hashtags for c in facts.contents), frozenset({f"#{text}"}))


def mention(name: str) -> Term:
    """Return a term for a mention of a user."""
    text = fold(name)
    return Term(lambda facts: any(text in c.mentions for c in facts.contents), frozenset({f"@{text}"}))


def cashtag(tag: str) -> Term:
    """Return a term for a cashtag."""
    text = fold(tag)
    return Term(lambda facts: any(text in c.cashtags for c in facts.contents), frozenset({f"${text}"}))


def url(tokens: list[str]) -> Term:
    """Return a term for tokens that follow one another in a link."""
    text = spaced(tokens)

    def test(facts: Facts) -> bool:
        return any(text in link for content in facts.contents for link in content.spaced_urls)

    return Term(test, frozenset({f"url:{_rarest(tokens)}"}))


def url_contains(text: str) -> Term:
    """Return a term for a part of a link, letter by letter."""
    piece = fold(text)
    return Term(lambda facts: any(piece in link for content in facts.contents for link in content.urls))


def url_title(tokens: list[str]) -> Term:
    """Return a term for tokens in the title of a linked page."""
    piece = spaced(tokens)
    return Term(lambda facts: any(piece in title for content in facts.contents for title in content.titles))


def url_description(tokens: list[str]) -> Term:
    """Return a term for tokens in the description of a linked page."""
    piece = spaced(tokens)
    return Term(
        lambda facts: any(piece in said for content in facts.contents for said in content.descriptions)
    )


def _rarest(tokens: list[str]) -> str:
    """Guess the token that the fewest posts have: not a stop word, and long."""
    return max(tokens, key=lambda token: (token not in STOP_WORDS, len(token)))


def _spread(content: Content, tokens: list[str]) -> float:
    """Return by how many tokens the closest occurrence deviates from the phrase; infinite without one.

    Each token's position is taken relative to its place in the phrase: for an exact phrase all are equal.
    """
    if not set(tokens) <= content.keys:
        return float("inf")
    offsets = sorted(
        (position - place, place)
        for place, token in enumerate(tokens)
        for position, other in enumerate(content.tokens)
        if token == other
    )
    best = float("inf")
    latest: dict[int, int] = {}
    for offset, place in offsets:
        latest[place] = offset
        if len(latest) == len(tokens):
            best = min(best, offset - min(latest.values()))
    return best
