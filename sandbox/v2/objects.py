"""X's objects with all their members, made from a v1.1 tweet: posts, users, places and media."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from traptor.sandbox.tweets.status import time_of
from traptor.sandbox.tweets.users import User
from traptor.sandbox.v2.texts import Written, cut, media_key, written

Json = dict[str, Any]

_CREATED_AT = "%a %b %d %H:%M:%S %z %Y"
_ISO = "%Y-%m-%dT%H:%M:%S.000Z"  # whole seconds, as X tells them
_EDITABLE = timedelta(hours=1)
_SLUG = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(slots=True)
class Objects:
    """One post and everything that it can be expanded to, by id; None means no value."""

    data: Json
    posts: dict[str, Json] = field(default_factory=dict)
    users: dict[str, Json] = field(default_factory=dict)
    media: dict[str, Json] = field(default_factory=dict)
    places: dict[str, Json] = field(default_factory=dict)


def read_objects(status: Json) -> Objects:
    """Return the objects of a v1.1 tweet. Raises KeyError, TypeError, ValueError if it is not a tweet."""
    objects = Objects({})
    objects.data = _post(status, objects)
    return objects


def _post(status: Json, objects: Objects) -> Json:
    post_id = str(int(status["id_str"]))
    _add_user(status["user"], objects)
    whole = written(status)
    short = cut(whole, _slug(post_id), post_id) if whole.is_note() else whole
    for item in whole.media:
        objects.media[media_key(item)] = _medium(item)
    for mention in (status.get("entities") or {}).get("user_mentions") or []:
        _add_mentioned(mention["id_str"], mention["screen_name"], mention.get("name"), objects)
    return _body(status, post_id, short) | {
        "note_tweet": _note(whole) if short is not whole else None,
        "referenced_tweets": _references(status, objects) or None,
        "geo": _geo(status, objects),
    }


def _body(status: Json, post_id: str, short: Written) -> Json:
    parent_id = status.get("in_reply_to_status_id_str")
    versions = (status.get("edit_history") or {}).get("edit_tweet_ids") or [post_id]
    created, editable_until = _times(status.get("created_at") or _time_of_id(post_id))
    return {
        "id": post_id,
        "text": short.text,
        "edit_history_tweet_ids": versions,
        "author_id": status["user"]["id_str"],
        "created_at": created,
        "conversation_id": parent_id or post_id,
        "in_reply_to_user_id": status.get("in_reply_to_user_id_str"),
        "lang": status.get("lang"),
        "possibly_sensitive": bool(status.get("possibly_sensitive")),
        "reply_settings": "everyone",
        "display_text_range": [0, len(short.text)],
        "entities": short.entities or None,
        "attachments": {"media_keys": [media_key(item) for item in short.media]} if short.media else None,
        "edit_controls": {
            "edits_remaining": max(6 - len(versions), 0),
            "is_edit_eligible": parent_id is None and "retweeted_status" not in status,
            "editable_until": editable_until,
        },
        "public_metrics": {
            "retweet_count": status.get("retweet_count") or 0,
            "reply_count": status.get("reply_count") or 0,
            "like_count": status.get("favorite_count") or 0,
            "quote_count": status.get("quote_count") or 0,
            "bookmark_count": 0,
            "impression_count": 0,
        },
    }


def _note(whole: Written) -> Json:
    return {"text": whole.text} | ({"entities": whole.entities} if whole.entities else {})


def _references(status: Json, objects: Objects) -> list[Json]:
    """Return the posts that this one refers to, and add the known ones."""
    found = []
    parent_id = status.get("in_reply_to_status_id_str")
    if parent_id:
        objects.posts[parent_id] = _parent(status, parent_id, objects)
        found.append({"type": "replied_to", "id": parent_id})
    elif status.get("in_reply_to_user_id_str"):
        _add_parent_author(status, objects)
    for kind, name in (("retweeted", "retweeted_status"), ("quoted", "quoted_status")):
        inner = status.get(name)
        inner_id = inner["id_str"] if inner else status.get(f"{name}_id_str")
        # A repost of a quote refers only to the quote.
        if not inner_id or (kind == "quoted" and status.get("retweeted_status")):
            continue
        if inner:
            objects.posts[inner_id] = _post(inner, objects)
        found.append({"type": kind, "id": inner_id})
    return found


def _parent(status: Json, parent_id: str, objects: Objects) -> Json:
    """Return a stand-in for the post replied to, of which a v1.1 tweet gives only ids."""
    _add_parent_author(status, objects)
    return {
        "id": parent_id,
        "text": "…",
        "edit_history_tweet_ids": [parent_id],
        "author_id": status["in_reply_to_user_id_str"],
        "created_at": _times(_time_of_id(parent_id))[0],
        "conversation_id": parent_id,
        "lang": "und",
    }


def _add_parent_author(status: Json, objects: Objects) -> None:
    _add_mentioned(status["in_reply_to_user_id_str"], status["in_reply_to_screen_name"], None, objects)


def _add_mentioned(user_id: str, screen_name: str, name: str | None, objects: Objects) -> None:
    if user_id not in objects.users:
        person = User(int(user_id), screen_name, name or screen_name, "", "")
        objects.users[user_id] = _user(person.render())


def _add_user(user: Json, objects: Objects) -> None:
    objects.users[user["id_str"]] = _user(user)


def _user(user: Json) -> Json:
    return {
        "id": user["id_str"],
        "name": user.get("name"),
        "username": user["screen_name"],
        "created_at": _times(user["created_at"])[0] if user.get("created_at") else None,
        "description": user.get("description"),
        "location": user.get("location") or None,
        "url": user.get("url"),
        "protected": bool(user.get("protected")),
        "verified": bool(user.get("verified")),
        "verified_type": "blue" if user.get("verified") else "none",
        "profile_image_url": user.get("profile_image_url_https"),
        "profile_banner_url": user.get("profile_banner_url"),
        "public_metrics": {
            "followers_count": user.get("followers_count") or 0,
            "following_count": user.get("friends_count") or 0,
            "tweet_count": user.get("statuses_count") or 0,
            "listed_count": user.get("listed_count") or 0,
            "like_count": user.get("favourites_count") or 0,
        },
    }


def _medium(item: Json) -> Json:
    large = (item.get("sizes") or {}).get("large") or {}
    kind = item.get("type", "photo")
    address = item.get("media_url_https")
    return {
        "media_key": media_key(item),
        "type": kind,
        "url": address if kind == "photo" else None,
        "preview_image_url": None if kind == "photo" else address,
        "width": large.get("w"),
        "height": large.get("h"),
        "alt_text": item.get("ext_alt_text"),
    }


def _geo(status: Json, objects: Objects) -> Json | None:
    place, point = status.get("place"), status.get("coordinates")
    if not place and not point:
        return None
    geo: Json = {}
    if place:
        geo["place_id"] = place["id"]
        objects.places[place["id"]] = _place(place)
    if point:
        geo["coordinates"] = {"type": "Point", "coordinates": point["coordinates"]}
    return geo


def _place(place: Json) -> Json:
    ring = place["bounding_box"]["coordinates"][0]
    longitudes, latitudes = [corner[0] for corner in ring], [corner[1] for corner in ring]
    box = [min(longitudes), min(latitudes), max(longitudes), max(latitudes)]
    return {
        "id": place["id"],
        "full_name": place["full_name"],
        "name": place.get("name"),
        "country": place.get("country"),
        "country_code": place.get("country_code"),
        "place_type": place.get("place_type"),
        "geo": {"type": "Feature", "bbox": box, "properties": {}},
    }


def _time_of_id(post_id: str) -> str:
    """Return the time that an id encodes, written as in a v1.1 tweet."""
    return f"{datetime.fromtimestamp(time_of(int(post_id)) // 1000, UTC):{_CREATED_AT}}"


@lru_cache(maxsize=4096)  # users and tweets of the same second share their times
def _times(created_at: str) -> tuple[str, str]:
    """Return a v1.1 time, and the end of a tweet's editing time, as X writes them."""
    created = datetime.strptime(created_at, _CREATED_AT).astimezone(UTC)
    return f"{created:{_ISO}}", f"{created + _EDITABLE:{_ISO}}"


def _slug(post_id: str) -> str:
    number = zlib.crc32(post_id.encode())
    return "".join(_SLUG[number >> shift & 31] for shift in range(0, 30, 3))
