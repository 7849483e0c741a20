"""Drafts of tweets, and their form in v1.1 streams."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from traptor.sandbox.tweets.text import SHORT_LIMIT, Text, Token, compose, link, mention, word
from traptor.sandbox.tweets.users import User

Json = dict[str, Any]

TWITTER_EPOCH_MS = 1_288_834_974_657  # an id is (ms since then) << 22 and a sequence number
_SOURCE = '<a href="https://mobile.twitter.com" rel="nofollow">Twitter Web App</a>'
_SIZES = {
    name: {"w": width, "h": height, "resize": resize}
    for name, width, height, resize in (
        ("thumb", 150, 150, "crop"),
        ("small", 680, 453, "fit"),
        ("medium", 1200, 800, "fit"),
        ("large", 2048, 1365, "fit"),
    )
}


@dataclass(slots=True)
class Geo:
    """The origin of a tweet: a point (longitude, latitude), a place, or both."""

    place_name: str
    place_box: tuple[float, float, float, float]
    point: tuple[float, float] | None = None


@dataclass(slots=True)
class Draft:
    """An unfinished tweet; the forms fill it in."""

    author: User
    tokens: list[Token]
    slug: str
    has_photo: bool = False
    reply_to: User | None = None
    replies_to_status: bool = False
    geo: Geo | None = None
    retweeted: Draft | None = None
    quoted: Draft | None = None
    edits: int = 0  # earlier versions
    age_s: int = 0  # how much older than the tweet around it
    counts: tuple[int, int, int, int] = field(default=(0, 0, 0, 0))  # quotes, replies, retweets, likes


def time_of(status_id: int) -> int:
    """Return the milliseconds since 1970 that an id encodes."""
    return (status_id >> 22) + TWITTER_EPOCH_MS


def render(draft: Draft, status_id: int) -> Json:
    """Return the tweet; `status_id` also gives its time."""
    made_ms = time_of(status_id)
    status: Json = {
        "created_at": time.strftime("%a %b %d %H:%M:%S +0000 %Y", time.gmtime(made_ms // 1000)),
        "id": status_id,
        "id_str": str(status_id),
    }
    body = _body(draft, status_id)
    entities = {name: body.pop(name) for name in ("entities", "extended_entities") if name in body}
    status |= body
    status |= {"source": _SOURCE} | _reply(draft, status_id)
    status |= {"user": draft.author.render()} | _geo(draft.geo) | {"contributors": None}
    status |= _inner(draft, status_id) | _versions(draft, status_id)
    quotes, replies, retweets, likes = draft.counts
    status |= {
        "quote_count": quotes,
        "reply_count": replies,
        "retweet_count": retweets,
        "favorite_count": likes,
    }
    status |= entities | {"favorited": False, "retweeted": False, "possibly_sensitive": False}
    return status | {"filter_level": "low", "lang": "en", "timestamp_ms": str(made_ms)}


def _body(draft: Draft, status_id: int) -> Json:
    if draft.retweeted is not None:
        return _retweet_body(draft.retweeted)
    tokens = [*draft.tokens, *([_photo(draft, status_id)] if draft.has_photo else [])]
    whole = compose(tokens)
    if len(whole.text) <= SHORT_LIMIT:
        return {"text": whole.text, "truncated": False} | _entities(whole)
    return _truncated(tokens, whole, draft.slug, status_id)


def _retweet_body(inner: Draft) -> Json:
    author = inner.author
    head = [word("RT"), mention(author.id, author.screen_name, author.name, tail=":")]
    cut = compose([*head, *inner.tokens], SHORT_LIMIT)
    return {"text": cut.text, "truncated": False} | _entities(cut)


def _truncated(tokens: list[Token], whole: Text, slug: str, status_id: int) -> Json:
    """Return the truncated form: its text links to the tweet itself, and extended_tweet holds the whole."""
    cut = compose(tokens, SHORT_LIMIT - 25)
    itself = link(slug[::-1], f"https://twitter.com/i/web/status/{status_id}")
    start = len(cut.text) + 1
    cut.entities["urls"].append({**(itself.entity or {}), "indices": [start, start + len(itself.body)]})
    extended = {"full_text": whole.text, "display_text_range": [0, len(whole.text)]} | _entities(whole)
    outer = _entities(cut)
    outer.pop("extended_entities", None)
    return {
        "text": f"{cut.text} {itself.body}",
        "display_text_range": [0, SHORT_LIMIT],
        "truncated": True,
        "extended_tweet": extended,
    } | outer


def _entities(text: Text) -> Json:
    if "media" not in text.entities:
        return {"entities": text.entities}
    return {"entities": text.entities, "extended_entities": {"media": text.entities["media"]}}


def _photo(draft: Draft, status_id: int) -> Token:
    url = f"https://t.co/{draft.slug}"
    media_id = status_id - (1 << 22)
    photo = f"pbs.twimg.com/media/{draft.slug}.jpg"
    entity = {
        "id": media_id,
        "id_str": str(media_id),
        "media_url": f"http://{photo}",
        "media_url_https": f"https://{photo}",
        "url": url,
        "display_url": f"pic.twitter.com/{draft.slug}",
        "expanded_url": f"https://twitter.com/{draft.author.screen_name}/status/{status_id}/photo/1",
        "type": "photo",
        "sizes": _SIZES,
    }
    return Token(url, kind="media", entity=entity)


def _reply(draft: Draft, status_id: int) -> Json:
    to = draft.reply_to
    parent = _older(status_id, 600) if draft.replies_to_status else None
    return {
        "in_reply_to_status_id": parent,
        "in_reply_to_status_id_str": None if parent is None else str(parent),
        "in_reply_to_user_id": None if to is None else to.id,
        "in_reply_to_user_id_str": None if to is None else str(to.id),
        "in_reply_to_screen_name": None if to is None else to.screen_name,
    }


def _geo(geo: Geo | None) -> Json:
    if geo is None:
        return {"geo": None, "coordinates": None, "place": None}
    west, south, east, north = geo.place_box
    place_id = f"{abs(hash(geo.place_box)):016x}"
    place = {
        "id": place_id,
        "url": f"https://api.twitter.com/1.1/geo/id/{place_id}.json",
        "place_type": "city",
        "name": geo.place_name,
        "full_name": geo.place_name,
        "country_code": "XX",
        "country": geo.place_name,
        "bounding_box": {
            "type": "Polygon",
            "coordinates": [[[west, south], [west, north], [east, north], [east, south]]],
        },
        "attributes": {},
    }
    if geo.point is None:
        return {"geo": None, "coordinates": None, "place": place}
    longitude, latitude = geo.point
    return {
        "geo": {"type": "Point", "coordinates": [latitude, longitude]},
        "coordinates": {"type": "Point", "coordinates": [longitude, latitude]},
        "place": place,
    }


def _inner(draft: Draft, status_id: int) -> Json:
    quoted = draft.quoted
    if draft.retweeted is not None:
        original = render(draft.retweeted, _older(status_id, draft.retweeted.age_s))
        return {"retweeted_status": original, "is_quote_status": False}
    if quoted is None:
        return {"is_quote_status": False}
    quoted_id = _older(status_id, quoted.age_s)
    where = f"twitter.com/{quoted.author.screen_name}/status/{quoted_id}"
    return {
        "quoted_status_id": quoted_id,
        "quoted_status_id_str": str(quoted_id),
        "quoted_status": render(quoted, quoted_id),
        "quoted_status_permalink": {
            "url": f"https://t.co/{quoted.slug}",
            "expanded": f"https://{where}",
            "display": f"{where[:26]}…",
        },
        "is_quote_status": True,
    }


def _versions(draft: Draft, status_id: int) -> Json:
    """Return the edit history: each edit is a separate tweet that names the earlier ones."""
    if not draft.edits:
        return {}
    earlier = [str(_older(status_id, 60 * number)) for number in range(draft.edits, 0, -1)]
    return {"edit_history": {"initial_tweet_id": earlier[0], "edit_tweet_ids": [*earlier, str(status_id)]}}


def _older(status_id: int, seconds: int) -> int:
    return status_id - (seconds * 1000 << 22)
