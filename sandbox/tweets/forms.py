"""The ways in which a tweet can match a value, by Twitter's documented semantics.

Twitter, "Standard stream parameters": what track, follow and locations match.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from traptor.sandbox.tweets.filler import Filler
from traptor.sandbox.tweets.status import Draft, Geo
from traptor.sandbox.tweets.steps import (
    HASHTAG,
    SCREEN_NAME,
    inner_draft,
    keeps_case,
    mention_named,
    mention_user,
    place_around,
    point_inside,
    scatter,
    shuffled,
    term_token,
)
from traptor.sandbox.tweets.text import LONG_LIMIT, SHORT_LIMIT, hashtag, word
from traptor.sandbox.tweets.values import FilterType, Value
from traptor.sandbox.tweets.vocabulary import PLACES

_LONGEST = 3900  # nearly the maximum that X allows
_LONGEST_SHARE = 0.05  # of the tweets longer than 280


@dataclass(frozen=True, slots=True)
class Form:
    """One way; `fits` tells for which texts, `is_outer` whether other values may join the tweet."""

    name: str
    fill: Callable[[Filler, Draft, str], None]
    fits: Callable[[str], bool] = lambda _text: True
    is_outer: bool = False


def can_match(value: Value) -> bool:
    """Tell whether the value can match at all: a phrase of only `www.` cannot, as that is never compared."""
    return value.type is not FilterType.TRACK or "www." not in value.text


# track


def _plain(filler: Filler, draft: Draft, text: str) -> None:
    scatter(filler, draft, [term_token(filler, term) for term in text.split()])


def _punctuated(filler: Filler, draft: Draft, text: str) -> None:
    marks = (("", "."), ("", ","), ("", "!"), ('"', '"'), ("(", ")"), ("", "?!"), ("“", "”"))
    tokens = [word(term, *filler.rng.choice(marks)) for term in text.split()]
    scatter(filler, draft, tokens)


def _upper(filler: Filler, draft: Draft, text: str) -> None:
    scatter(filler, draft, [word(term.upper()) for term in text.split()])


def _tagged(filler: Filler, draft: Draft, text: str) -> None:
    terms = text.split()
    chosen = filler.rng.choice([n for n, term in enumerate(terms) if HASHTAG.fullmatch(f"#{term}")])
    tokens = [
        hashtag(t.title() if keeps_case(t) else t) if n == chosen else word(t) for n, t in enumerate(terms)
    ]
    scatter(filler, draft, tokens)


def _mentioned(filler: Filler, draft: Draft, text: str) -> None:
    terms = text.split()
    chosen = filler.rng.choice([n for n, term in enumerate(terms) if SCREEN_NAME.fullmatch(term)])
    tokens = [mention_named(filler, term) if n == chosen else word(term) for n, term in enumerate(terms)]
    scatter(filler, draft, tokens)


def _linked(filler: Filler, draft: Draft, text: str) -> None:
    draft.tokens.append(filler.page([*filler.words(1), *text.split()]))


def _beyond_140(filler: Filler, draft: Draft, text: str) -> None:
    _beyond(SHORT_LIMIT, filler, draft, text)


def _beyond_280(filler: Filler, draft: Draft, text: str) -> None:
    limit = (
        _LONGEST if filler.rng.random() < _LONGEST_SHARE else filler.rng.randint(LONG_LIMIT, 2 * LONG_LIMIT)
    )
    _beyond(limit, filler, draft, text)


def _beyond(limit: int, filler: Filler, draft: Draft, text: str) -> None:
    length = sum(len(str(token)) + 1 for token in draft.tokens)
    while length < limit:
        more = filler.sentence(3, 5)
        length += sum(len(str(token)) + 1 for token in more)
        draft.tokens += more
    draft.tokens += [term_token(filler, term) for term in shuffled(filler, text.split())]
    draft.tokens += filler.sentence(1, 4)


def _in_retweeted(filler: Filler, draft: Draft, text: str) -> None:
    inner = inner_draft(filler)
    filler.rng.choice((_plain, _beyond_140, _beyond_280))(filler, inner, text)
    draft.retweeted = inner


def _in_quoted(filler: Filler, draft: Draft, text: str) -> None:
    inner = inner_draft(filler)
    filler.rng.choice((_plain, _beyond_140, _beyond_280))(filler, inner, text)
    draft.quoted = inner


# follow


def _by_user(filler: Filler, draft: Draft, text: str) -> None:
    draft.author = filler.user(int(text))


def _retweet_of(filler: Filler, draft: Draft, text: str) -> None:
    draft.retweeted = inner_draft(filler)
    draft.retweeted.author = filler.user(int(text))


def _retweet_by(filler: Filler, draft: Draft, text: str) -> None:
    draft.author = filler.user(int(text))
    draft.retweeted = inner_draft(filler)


def _quote_by(filler: Filler, draft: Draft, text: str) -> None:
    draft.author = filler.user(int(text))
    draft.quoted = inner_draft(filler)


def _reply_to(filler: Filler, draft: Draft, text: str) -> None:
    _manual_reply(filler, draft, text)
    draft.replies_to_status = True


def _manual_reply(filler: Filler, draft: Draft, text: str) -> None:
    draft.reply_to = filler.user(int(text))
    draft.tokens.insert(0, mention_user(draft.reply_to))


# locations


def _at_point(filler: Filler, draft: Draft, text: str) -> None:
    longitude, latitude = point_inside(filler, text)
    draft.geo = Geo(
        filler.rng.choice(PLACES), place_around(filler, text, longitude, latitude), (longitude, latitude)
    )


def _in_place(filler: Filler, draft: Draft, text: str) -> None:
    draft.geo = Geo(filler.rng.choice(PLACES), place_around(filler, text, *point_inside(filler, text)))


def _is_simple(text: str) -> bool:
    return all(term.isalnum() for term in text.split())


def _is_ascii_simple(text: str) -> bool:
    return text.isascii() and _is_simple(text)


def _is_taggable(text: str) -> bool:
    return _is_simple(text) and any(HASHTAG.fullmatch(f"#{term}") for term in text.split())


def _is_mentionable(text: str) -> bool:
    return _is_simple(text) and any(SCREEN_NAME.fullmatch(term) for term in text.split())


FORMS: dict[FilterType, tuple[Form, ...]] = {
    FilterType.TRACK: (
        Form("plain", _plain, is_outer=True),
        Form("punctuated", _punctuated, _is_simple, is_outer=True),
        Form("upper", _upper, lambda text: _is_simple(text) and keeps_case(text), is_outer=True),
        Form("hashtag", _tagged, _is_taggable, is_outer=True),
        Form("mention", _mentioned, _is_mentionable, is_outer=True),
        Form("link", _linked, _is_ascii_simple, is_outer=True),
        Form("beyond_140", _beyond_140, is_outer=True),
        Form("beyond_280", _beyond_280, is_outer=True),
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
