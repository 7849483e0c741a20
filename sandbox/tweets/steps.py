"""Steps that the forms share: tokens for terms, their positions in a text, points and places in a box."""

from __future__ import annotations

import re
from typing import TypeVar

from traptor.sandbox.tweets.filler import Filler
from traptor.sandbox.tweets.status import Draft
from traptor.sandbox.tweets.text import Token, hashtag, link, mention, symbol, word
from traptor.sandbox.tweets.users import User
from traptor.sandbox.tweets.values import FilterType, Value

_Item = TypeVar("_Item")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}(/[a-z0-9/_-]*[a-z0-9])?")
SCREEN_NAME = re.compile(r"[a-z0-9_]{1,15}")
HASHTAG = re.compile(r"#\w*[^\W\d_]\w*")
_CASHTAG = re.compile(r"\$[a-z]{1,6}")


def keeps_case(text: str) -> bool:
    """Tell whether converting a text to capitals and back leaves it unchanged."""
    return text.upper().lower() == text and text.title().lower() == text


def inner_draft(filler: Filler) -> Draft:
    """Return a tweet to be retweeted or quoted."""
    inner = filler.draft()
    inner.age_s = filler.rng.randrange(60, 86_400)
    return inner


def scatter(filler: Filler, draft: Draft, tokens: list[Token]) -> None:
    """Put the tokens anywhere into the text, in any order, before the cut at 140."""
    first = min(len(draft.tokens), 1 if draft.tokens and draft.tokens[0].kind == "user_mentions" else 0)
    for token in shuffled(filler, tokens):
        draft.tokens.insert(filler.rng.randint(first, min(len(draft.tokens), 5)), token)


def shuffled(filler: Filler, items: list[_Item]) -> list[_Item]:
    """Return the items in any order."""
    return filler.rng.sample(items, len(items))


def term_token(filler: Filler, term: str) -> Token:
    """Return a term as people write it: its own mark makes it a hashtag, a mention, a cashtag or a link."""
    if HASHTAG.fullmatch(term):
        return hashtag(term[1:])
    if term[0] == "@" and SCREEN_NAME.fullmatch(term[1:]):
        return mention_named(filler, term[1:])
    if _CASHTAG.fullmatch(term):
        return symbol(term[1:])
    if _DOMAIN.fullmatch(term):
        return link(filler.slug(), f"https://{filler.rng.choice(('', 'www.'))}{term}")
    is_title = keeps_case(term) and filler.rng.random() < 0.2
    return word(term.title() if is_title else term)


def mention_named(filler: Filler, screen_name: str) -> Token:
    """Return a mention of a stranger with this name."""
    stranger = filler.stranger()
    return mention(stranger.id, screen_name, stranger.name)


def mention_user(user: User) -> Token:
    """Return a mention of a user."""
    return mention(user.id, user.screen_name, user.name)


def point_inside(filler: Filler, text: str) -> tuple[float, float]:
    """Return a point in the box."""
    west, south, east, north = Value(FilterType.LOCATIONS, text).box()
    share_x, share_y = filler.rng.uniform(0.05, 0.95), filler.rng.uniform(0.05, 0.95)
    return west + share_x * (east - west), south + share_y * (north - south)


def place_around(
    filler: Filler, text: str, longitude: float, latitude: float
) -> tuple[float, float, float, float]:
    """Return a place that contains the point and may extend far beyond the box."""
    west, south, east, north = Value(FilterType.LOCATIONS, text).box()
    half_x = filler.rng.uniform(0.01, 1.0) * (east - west)
    half_y = filler.rng.uniform(0.01, 1.0) * (north - south)
    return (
        max(longitude - half_x, -180.0),
        max(latitude - half_y, -90.0),
        min(longitude + half_x, 180.0),
        min(latitude + half_y, 90.0),
    )
