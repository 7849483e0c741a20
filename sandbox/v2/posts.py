"""The timeline's tweets as X API v2 posts.

A post is made from the tweet's v1.1 JSON, so both forms of one timeline have the same content.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from traptor.sandbox.tweets.maker import Tweet
from traptor.sandbox.tweets.twitterjson import parse_json
from traptor.sandbox.v2.asked import facts_of
from traptor.sandbox.v2.fields import Fields, shown_by_expansions
from traptor.sandbox.v2.language.facts import Facts
from traptor.sandbox.v2.objects import Objects, read_objects

Json = dict[str, Any]
Matching = Sequence[tuple[str, str | None]]  # filter id and tag; None or "" without one
_NO_TWEET = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Reads:
    """The content of one line by the kinds that X bills."""

    post_id: str
    included_posts: tuple[str, ...] = ()
    included_users: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a stream without its line end."""

    json: bytes
    reads: Reads


class Post:
    """One tweet of the timeline: its facts, and its line for any choice of fields."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._bodies: dict[Fields, tuple[bytes, Reads]] = {}
        self.id: str = objects.data["id"]

    @cached_property
    def facts(self) -> Facts:
        """The facts that rules can ask about the post."""
        return facts_of(self._objects)

    def line(self, fields: Fields, matching: Matching) -> Line:
        """Return the line for a stream with these fields, naming the filters that matched the post."""
        if fields not in self._bodies:
            self._bodies[fields] = _body(self._objects, fields)
        body, reads = self._bodies[fields]
        found = _json([{"id": name, "tag": tag} if tag else {"id": name} for name, tag in matching])
        return Line(b'%s,"matching_rules":%s}' % (body[:-1], found), reads)


def read_post(tweet: Tweet) -> Post | None:
    """Return the tweet as a post; None for a replayed message that is not a tweet."""
    try:
        post = Post(read_objects(parse_json(tweet.json)))
        _ = post.facts.keys  # errors in the tweet show here and not in the middle of a stream
    except _NO_TWEET:
        return None
    return post


def _json(content: Any) -> bytes:
    """Return UTF-8, or ASCII for a text with half a surrogate pair, which UTF-8 cannot hold."""
    try:
        return orjson.dumps(content)
    except TypeError:
        return json.dumps(content, separators=(",", ":")).encode()


def _body(objects: Objects, fields: Fields) -> tuple[bytes, Reads]:
    line: Json = {"data": _chosen(objects.data, fields.post | shown_by_expansions(fields))}
    includes = _includes(objects, fields)
    shown = {name: items for name, items in includes.items() if items}
    if shown:
        line["includes"] = shown
    missing = [_not_found(post_id) for post_id in _referenced(objects.data) if post_id not in objects.posts]
    if missing and fields.expands("referenced_tweets.id"):
        line["errors"] = missing
    posts = tuple(post["id"] for post in includes["tweets"])
    return _json(line), Reads(objects.data["id"], posts, len(includes["users"]))


def _includes(objects: Objects, fields: Fields) -> dict[str, list[Json]]:
    data = objects.data
    inner = [objects.posts[post_id] for post_id in _referenced(data) if post_id in objects.posts]
    places = [data["geo"]["place_id"]] if data["geo"] and "place_id" in data["geo"] else []
    return {
        "users": _known(objects.users, _users(data, inner, fields), fields.user),
        "tweets": [_chosen(post, fields.post) for post in inner if fields.expands("referenced_tweets.id")],
        "media": _known(objects.media, _media(data, inner, fields), fields.media),
        "places": _known(objects.places, places if fields.expands("geo.place_id") else [], fields.place),
    }


def _users(data: Json, inner: list[Json], fields: Fields) -> Iterable[str | None]:
    if fields.expands("author_id"):
        yield data["author_id"]
    if fields.expands("in_reply_to_user_id"):
        yield data["in_reply_to_user_id"]
    if fields.expands("entities.mentions.username"):
        yield from _mentioned(data)
    if fields.expands("entities.note.mentions.username") and data["note_tweet"]:
        yield from _mentioned(data["note_tweet"])
    if fields.expands("referenced_tweets.id.author_id"):
        yield from (post["author_id"] for post in inner)


def _mentioned(post: Json) -> Iterable[str]:
    return (mention["id"] for mention in (post.get("entities") or {}).get("mentions", ()))


def _media(data: Json, inner: list[Json], fields: Fields) -> Iterable[str]:
    if fields.expands("attachments.media_keys"):
        yield from (data["attachments"] or {}).get("media_keys", ())
    if fields.expands("referenced_tweets.id.attachments.media_keys"):
        for post in inner:
            yield from (post.get("attachments") or {}).get("media_keys", ())


def _known(objects: Mapping[str, Json], wanted: Iterable[str | None], fields: frozenset[str]) -> list[Json]:
    """Return each of the wanted objects once."""
    return [
        _chosen(objects[name], fields)
        for name in dict.fromkeys(wanted)
        if name is not None and name in objects
    ]


def _chosen(members: Json, fields: frozenset[str]) -> Json:
    return {name: value for name, value in members.items() if name in fields and value is not None}


def _referenced(data: Json) -> list[str]:
    return [reference["id"] for reference in data["referenced_tweets"] or ()]


def _not_found(post_id: str) -> Json:
    return {
        "value": post_id,
        "resource_id": post_id,
        "resource_type": "tweet",
        "parameter": "referenced_tweets.id",
        "title": "Not Found Error",
        "detail": f"Could not find tweet with referenced_tweets.id: [{post_id}].",
        "type": "https://api.x.com/2/problems/resource-not-found",
    }
