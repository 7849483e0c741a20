"""The ways in which a tweet can be about a value, after Twitter's documented semantics.

Twitter, "Standard stream parameters": what track, follow and locations find.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from traptor.sandbox.tweets.filler import Filler
from traptor.sandbox.tweets.status import Draft, Geo
from traptor.sandbox.tweets.text import SHORT_LIMIT, Token, hashtag, link, mention, symbol, word
from traptor.sandbox.tweets.users import User
from traptor.sandbox.tweets.values import FilterType, Value
from traptor.sandbox.tweets.vocabulary import PLACES

_Item = TypeVar("_Item")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}(/[a-z0-9/_-]*[a-z0-9])?")
_SCREEN_NAME = re.compile(r"[a-z0-9]{1,15}")
_HASHTAG = re.compile(r"#[^\W_]*[^\W\d_][^\W_]*")
_CASHTAG = re.compile(r"\$[a-z]{1,6}")


@dataclass(frozen=True, slots=True)
class Form:
    """One way; `fits` tells for which texts, `is_outer` whether other values may join the tweet."""

    name: str
    fill: Callable[[Filler, Draft, str], None]
    fits: Callable[[str], bool] = lambda _text: True
    is_outer: bool = False


def can_match(value: Value) -> bool:
    """Return False for a phrase that finds nothing at all: `www.` is never compared."""
    return value.type is not FilterType.TRACK or "www." not in value.text


# track


def _plain(filler: Filler, draft: Draft, text: str) -> None:
    _scatter(filler, draft, [_term(filler, term) for term in text.split()])


def _punctuated(filler: Filler, draft: Draft, text: str) -> None:
    marks = (("", "."), ("", ","), ("", "!"), ('"', '"'), ("(", ")"), ("", "?!"), ("“", "”"))
    tokens = [word(term, *filler.rng.choice(marks)) for term in text.split()]
    _scatter(filler, draft, tokens)


def _upper(filler: Filler, draft: Draft, text: str) -> None:
    _scatter(filler, draft, [word(term.upper()) for term in text.split()])


def _tagged(filler: Filler, draft: Draft, text: str) -> None:
    terms = text.split()
    chosen = filler.rng.choice([n for n, term in enumerate(terms) if _HASHTAG.fullmatch(f"#{term}")])
    tokens = [
        hashtag(t.title() if _keeps_case(t) else t) if n == chosen else word(t) for n, t in enumerate(terms)
    ]
    _scatter(filler, draft, tokens)


def _mentioned(filler: Filler, draft: Draft, text: str) -> None:
    terms = text.split()
    chosen = filler.rng.choice([n for n, term in enumerate(terms) if _SCREEN_NAME.fullmatch(term)])
    tokens = [_mention_of(filler, term) if n == chosen else word(term) for n, term in enumerate(terms)]
    _scatter(filler, draft, tokens)


def _linked(filler: Filler, draft: Draft, text: str) -> None:
    draft.tokens.append(filler.page([*filler.words(1), *text.split()]))


def _beyond_140(filler: Filler, draft: Draft, text: str) -> None:
    while sum(len(str(token)) + 1 for token in draft.tokens) < SHORT_LIMIT:
        draft.tokens += filler.sentence(3, 5)
    draft.tokens += [_term(filler, term) for term in _shuffled(filler, text.split())]
    draft.tokens += filler.sentence(1, 4)


def _in_retweeted(filler: Filler, draft: Draft, text: str) -> None:
    inner = _inner(filler)
    filler.rng.choice((_plain, _beyond_140))(filler, inner, text)
    draft.retweeted = inner


def _in_quoted(filler: Filler, draft: Draft, text: str) -> None:
    inner = _inner(filler)
    filler.rng.choice((_plain, _beyond_140))(filler, inner, text)
    draft.quoted = inner


# follow


def _by_user(filler: Filler, draft: Draft, text: str) -> None:
    draft.author = filler.user(int(text))


def _retweet_of(filler: Filler, draft: Draft, text: str) -> None:
    draft.retweeted = _inner(filler)
    draft.retweeted.author = filler.user(int(text))


def _retweet_by(filler: Filler, draft: Draft, text: str) -> None:
    draft.author = filler.user(int(text))
    draft.retweeted = _inner(filler)


def _quote_by(filler: Filler, draft: Draft, text: str) -> None:
    draft.author = filler.user(int(text))
    draft.quoted = _inner(filler)


def _reply_to(filler: Filler, draft: Draft, text: str) -> None:
    _manual_reply(filler, draft, text)
    draft.replies_to_status = True


def _manual_reply(filler: Filler, draft: Draft, text: str) -> None:
    draft.reply_to = filler.user(int(text))
    draft.tokens.insert(0, _mention(draft.reply_to))


# locations


def _at_point(filler: Filler, draft: Draft, text: str) -> None:
    longitude, latitude = _inside(filler, text)
    draft.geo = Geo(
        filler.rng.choice(PLACES), _around(filler, text, longitude, latitude), (longitude, latitude)
    )


def _in_place(filler: Filler, draft: Draft, text: str) -> None:
    draft.geo = Geo(filler.rng.choice(PLACES), _around(filler, text, *_inside(filler, text)))


def _is_simple(text: str) -> bool:
    return all(term.isalnum() for term in text.split())


def _is_ascii_simple(text: str) -> bool:
    return text.isascii() and _is_simple(text)


def _keeps_case(text: str) -> bool:
    return text.upper().lower() == text and text.title().lower() == text


def _is_taggable(text: str) -> bool:
    return _is_simple(text) and any(_HASHTAG.fullmatch(f"#{term}") for term in text.split())


def _is_mentionable(text: str) -> bool:
    return _is_simple(text) and any(_SCREEN_NAME.fullmatch(term) for term in text.split())


FORMS: dict[FilterType, tuple[Form, ...]] = {
    FilterType.TRACK: (
        Form("plain", _plain, is_outer=True),
        Form("punctuated", _punctuated, _is_simple, is_outer=True),
        Form("upper", _upper, lambda text: _is_simple(text) and _keeps_case(text), is_outer=True),
        Form("hashtag", _tagged, _is_taggable, is_outer=True),
        Form("mention", _mentioned, _is_mentionable, is_outer=True),
        Form("link", _linked, _is_ascii_simple, is_outer=True),
        Form("beyond_140", _beyond_140, is_outer=True),
        Form("in_retweeted", _in_retweeted),
        Form("in_quoted", _in_quoted),
    ),
    FilterType.FOLLOW: (
        Form("by_user", _by_user, is_outer=True),
        Form("retweet_of", _retweet_of),
        Form("retweet_by", _retweet_by),
        Form("quote_by", _quote_by),
        Form("reply_to", _reply_to),
        Form("manual_reply", _manual_reply),
    ),
    FilterType.LOCATIONS: (
        Form("point", _at_point, is_outer=True),
        Form("place", _in_place, is_outer=True),
    ),
}


# steps


def _inner(filler: Filler) -> Draft:
    inner = filler.draft()
    inner.age_s = filler.rng.randrange(60, 86_400)
    return inner


def _scatter(filler: Filler, draft: Draft, tokens: list[Token]) -> None:
    """Put the tokens anywhere into the text, in any order, before the cut at 140."""
    first = min(len(draft.tokens), 1 if draft.tokens and draft.tokens[0].kind == "user_mentions" else 0)
    for token in _shuffled(filler, tokens):
        draft.tokens.insert(filler.rng.randint(first, min(len(draft.tokens), 5)), token)


def _shuffled(filler: Filler, items: list[_Item]) -> list[_Item]:
    return filler.rng.sample(items, len(items))


def _term(filler: Filler, term: str) -> Token:
    """A term as people write it: its own sign makes it a hashtag, a mention, a cashtag or a link."""
    if _HASHTAG.fullmatch(term):
        return hashtag(term[1:])
    if term[0] == "@" and _SCREEN_NAME.fullmatch(term[1:]):
        return _mention_of(filler, term[1:])
    if _CASHTAG.fullmatch(term):
        return symbol(term[1:])
    if _DOMAIN.fullmatch(term):
        return link(filler.slug(), f"https://{filler.rng.choice(('', 'www.'))}{term}")
    is_title = _keeps_case(term) and filler.rng.random() < 0.2
    return word(term.title() if is_title else term)


def _mention_of(filler: Filler, screen_name: str) -> Token:
    stranger = filler.stranger()
    return mention(stranger.id, screen_name, stranger.name)


def _mention(user: User) -> Token:
    return mention(user.id, user.screen_name, user.name)


def _inside(filler: Filler, text: str) -> tuple[float, float]:
    west, south, east, north = Value(FilterType.LOCATIONS, text).box()
    share_x, share_y = filler.rng.uniform(0.05, 0.95), filler.rng.uniform(0.05, 0.95)
    return west + share_x * (east - west), south + share_y * (north - south)


def _around(
    filler: Filler, text: str, longitude: float, latitude: float
) -> tuple[float, float, float, float]:
    """A place that holds the point and may reach far over the box."""
    west, south, east, north = Value(FilterType.LOCATIONS, text).box()
    half_x = filler.rng.uniform(0.01, 1.0) * (east - west)
    half_y = filler.rng.uniform(0.01, 1.0) * (north - south)
    return (
        max(longitude - half_x, -180.0),
        max(latitude - half_y, -90.0),
        min(longitude + half_x, 180.0),
        min(latitude + half_y, 90.0),
    )
