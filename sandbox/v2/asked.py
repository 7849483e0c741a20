"""The facts that the rule language can ask about a post, read from its objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from traptor.sandbox.v2.language.facts import Content, Facts, Profile, Where, names
from traptor.sandbox.v2.language.geometry import Box
from traptor.sandbox.v2.language.words import fold, spaced, split
from traptor.sandbox.v2.objects import Objects

Json = dict[str, Any]

_ESCAPES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def facts_of(objects: Objects) -> Facts:
    """Return the facts: a repost is searched as its full original, a quote together with the quoted post."""
    data = objects.data
    reposted_id, quoted_id, replied_id = (
        _reference(data, kind) for kind in ("retweeted", "quoted", "replied_to")
    )
    original = objects.posts.get(reposted_id)
    author = objects.users[data["author_id"]]
    contents = [_reposted(original, objects) if original else _content(data)]
    if quoted_id in objects.posts:
        contents.append(_content(objects.posts[quoted_id]))
    return Facts(
        post_id=data["id"],
        contents=tuple(contents),
        author=_user_names(data["author_id"], objects),
        reply_to=_user_names(data["in_reply_to_user_id"], objects),
        repost_of=_user_names(original["author_id"], objects) if original else frozenset(),
        conversation_id=data["conversation_id"],
        replied_id=replied_id,
        reposted_id=reposted_id,
        has=frozenset(_has(original or data, objects)) | ({"geo"} if data["geo"] else set()),
        kinds=frozenset(_kinds(reposted_id, quoted_id, replied_id, author)),
        lang=data["lang"] or "",
        where=_where(data, objects),
        profile=Profile(*(str(author[name] or "") for name in ("description", "name", "location"))),
        counts=_counts(data, author),
    )


def _reference(data: Json, kind: str) -> str:
    return next((one["id"] for one in data["referenced_tweets"] or () if one["type"] == kind), "")


def _user_names(user_id: str | None, objects: Objects) -> frozenset[str]:
    if user_id is None:
        return frozenset()
    return names(user_id, objects.users.get(user_id, {}).get("username"))


def _content(post: Json) -> Content:
    """Return the content of a post; of a note the whole text, without its link to itself."""
    whole = post.get("note_tweet") or post
    entities = whole.get("entities") or {}
    return Content(
        tokens=tuple(split(_unescape(whole["text"]))),
        hashtags=frozenset(fold(item["tag"]) for item in entities.get("hashtags", ())),
        mentions=frozenset(fold(item["username"]) for item in entities.get("mentions", ())),
        cashtags=frozenset(fold(item["tag"]) for item in entities.get("cashtags", ())),
        urls=tuple(
            fold(item[name])
            for item in entities.get("urls", ())
            for name in ("url", "expanded_url")
            if name in item
        ),
    )


def _reposted(original: Json, objects: Objects) -> Content:
    """Return the original's content after `RT @name:`, which mentions its author."""
    inner = _content(original)
    name = objects.users[original["author_id"]]["username"]
    return Content(
        tokens=("rt", *split(name), *inner.tokens),
        hashtags=inner.hashtags,
        mentions=inner.mentions | {fold(name)},
        cashtags=inner.cashtags,
        urls=inner.urls,
    )


def _has(post: Json, objects: Objects) -> Iterable[str]:
    entities = (post["note_tweet"] or post).get("entities") or {}
    for name, kind in (
        ("hashtags", "hashtags"),
        ("cashtags", "cashtags"),
        ("mentions", "mentions"),
        ("urls", "links"),
    ):
        if name in entities:
            yield kind
    for key in (post["attachments"] or {}).get("media_keys", ()):
        yield "media"
        yield "images" if objects.media[key]["type"] == "photo" else "video_link"


def _kinds(reposted_id: str, quoted_id: str, replied_id: str, author: Json) -> Iterable[str]:
    if reposted_id:
        yield "retweet"
    if quoted_id:
        yield "quote"
    if replied_id:
        yield "reply"
    if author["verified"]:
        yield "verified"


def _where(data: Json, objects: Objects) -> Where:
    geo = data["geo"] or {}
    point = geo["coordinates"]["coordinates"] if "coordinates" in geo else None
    place = objects.places.get(geo.get("place_id", ""))
    if place is None:
        return Where(point=tuple(point) if point else None)
    return Where(
        point=tuple(point) if point else None,
        place_box=Box(*place["geo"]["bbox"]),
        place_id=fold(place["id"]),
        place_names=(_spaced(place["name"]), _spaced(place["full_name"])),
        country_code=fold(place["country_code"] or ""),
    )


def _counts(data: Json, author: Json) -> dict[str, int]:
    said, of_post = author["public_metrics"], data["public_metrics"]
    return {
        "followers": said["followers_count"],
        "following": said["following_count"],
        "tweets": said["tweet_count"],
        "listed": said["listed_count"],
        "likes": of_post["like_count"],
        "replies": of_post["reply_count"],
        "reposts": of_post["retweet_count"],
    }


def _spaced(text: str | None) -> str:
    return spaced(split(text or ""))


def _unescape(text: str) -> str:
    for written, meant in _ESCAPES:
        text = text.replace(written, meant)
    return text
