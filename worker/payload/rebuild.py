"""Rebuild the v1.1 form of a post, for readers that were made for it.

Fields without a source at API v2 are null, or false where v1.1 knew no null; a user who was not paid for has
an id alone. docs/migrating.md has the table for owners of such readers.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import orjson

from traptor.worker.payload.entities import quoted_link, v1_entities
from traptor.worker.payload.included import Included, Json
from traptor.worker.payload.times import timestamp_ms, v1_time


class Rebuilt(msgspec.Struct, frozen=True, gc=False):
    """A rebuilt tweet, as the enrichment asks for it."""

    created_at: str | None
    has_traptor: bool = False


_ODD = (KeyError, TypeError, ValueError, AttributeError)  # a member of another type than X documents


def rebuilt(line: bytes) -> bytes | None:
    """Return the v1.1 tweet of a line's post as one JSON object; None where that cannot be made."""
    try:
        members = orjson.loads(line)
        return orjson.dumps(_tweet(members["data"], Included(members.get("includes") or {})))
    except _ODD:
        return None


def _tweet(post: Json, included: Included) -> Json:
    post_id = int(post["id"])
    created_at = post.get("created_at")
    return {
        "created_at": v1_time(created_at),
        "id": post_id,
        "id_str": post["id"],
        **_text(post, included),
        "source": post.get("source"),
        **_reply(post, included),
        "user": included.user(post["author_id"]) if "author_id" in post else None,
        **_geo(post.get("geo") or {}, included),
        "contributors": None,
        **_referenced(post, included),
        **_counts(post.get("public_metrics") or {}),
        "favorited": False,
        "retweeted": False,
        "possibly_sensitive": post.get("possibly_sensitive", False),
        "filter_level": None,
        "lang": post.get("lang"),
        "timestamp_ms": timestamp_ms(post_id, created_at),
        **_withheld(post),
        **_versions(post),
    }


def _text(post: Json, included: Included) -> Json:
    """Return text and entities; what is beyond 280 characters is in `extended_tweet`, as v1.1 had it."""
    note = post.get("note_tweet") or post.get("note_post")
    text: Json = {"text": post.get("text"), "truncated": bool(note)}
    if "display_text_range" in post:
        text["display_text_range"] = post["display_text_range"]
    text |= v1_entities(post.get("entities") or {}, included)
    if note:
        whole = note.get("text")
        text["extended_tweet"] = {
            "full_text": whole,
            "display_text_range": [0, len(whole or "")],
            **v1_entities(note.get("entities") or {}, included),
        }
    return text


def _reply(post: Json, included: Included) -> Json:
    status_id, user_id = _reference(post, "replied_to"), post.get("in_reply_to_user_id")
    return {
        "in_reply_to_status_id": _number(status_id),
        "in_reply_to_status_id_str": status_id,
        "in_reply_to_user_id": _number(user_id),
        "in_reply_to_user_id_str": user_id,
        "in_reply_to_screen_name": _screen_name(post, user_id, included),
    }


def _screen_name(post: Json, user_id: str | None, included: Included) -> str | None:
    if user_id is None:
        return None
    mentions = (post.get("entities") or {}).get("mentions") or ()
    mentioned = (one.get("username") for one in mentions if one.get("id") == user_id)
    return included.username_of(user_id) or next(mentioned, None)


def _geo(geo: Json, included: Included) -> Json:
    point = (geo.get("coordinates") or {}).get("coordinates")
    if point is None:
        return {"geo": None, "coordinates": None, "place": included.place(geo.get("place_id"))}
    longitude, latitude = point
    return {
        "geo": {"type": "Point", "coordinates": [latitude, longitude]},
        "coordinates": {"type": "Point", "coordinates": [longitude, latitude]},
        "place": included.place(geo.get("place_id")),
    }


def _referenced(post: Json, included: Included) -> Json:
    """Return the reposted and the quoted tweet; null where the post was not paid for."""
    found: Json = {}
    reposted_id = _reference(post, "retweeted")
    reposted = included.post(reposted_id)
    if reposted_id is not None:
        found["retweeted_status"] = None if reposted is None else _tweet(reposted, included)
    quoting = post if reposted is None else reposted  # a repost of a quote refers to the quote alone
    quoted_id = _reference(quoting, "quoted")
    found["is_quote_status"] = quoted_id is not None
    if quoted_id is not None:
        quoted = included.post(quoted_id)
        found["quoted_status_id"], found["quoted_status_id_str"] = int(quoted_id), quoted_id
        found["quoted_status"] = None if quoted is None else _tweet(quoted, included)
        found["quoted_status_permalink"] = quoted_link(quoting.get("entities") or {}, quoted_id)
    return found


def _reference(post: Json, kind: str) -> str | None:
    for one in post.get("referenced_tweets") or post.get("referenced_posts") or ():
        if one["type"] == kind:
            return str(one["id"])
    return None


def _counts(metrics: Mapping[str, int]) -> Json:
    return {
        "quote_count": metrics.get("quote_count"),
        "reply_count": metrics.get("reply_count"),
        "retweet_count": metrics.get("retweet_count"),
        "favorite_count": metrics.get("like_count"),
    }


def _withheld(post: Json) -> Json:
    withheld = post.get("withheld")
    return {"withheld_in_countries": withheld.get("country_codes") or []} if withheld else {}


def _versions(post: Json) -> Json:
    versions = post.get("edit_history_tweet_ids") or post.get("edit_history_post_ids") or []
    if len(versions) < 2:
        return {}
    return {"edit_history": {"initial_tweet_id": versions[0], "edit_tweet_ids": versions}}


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
