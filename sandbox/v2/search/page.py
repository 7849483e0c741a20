"""One page of a search, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from traptor.sandbox.v2.fields import Fields
from traptor.sandbox.v2.posts import Post, Reads

Json = dict[str, Any]
_NAMES = {"users": "id", "tweets": "id", "media": "media_key", "places": "id"}


def page_of(posts: Sequence[Post], fields: Fields, next_token: str | None) -> tuple[Json, list[Reads]]:
    """Return the body of a page, and its reads; each user of the page's includes is one read."""
    lines = [post.line(fields, ()) for post in posts]
    bodies = [orjson.loads(line.json) for line in lines]
    includes = _merged(body.get("includes", {}) for body in bodies)
    errors = [error for body in bodies for error in body.get("errors", ())]
    page: Json = {"data": [body["data"] for body in bodies]} if bodies else {}
    page |= {"includes": includes} if includes else {}
    page |= {"errors": errors} if errors else {}
    reads = [Reads(line.reads.post_id, line.reads.included_posts) for line in lines]
    if reads and (users := len(includes.get("users", ()))):
        reads[0] = Reads(reads[0].post_id, reads[0].included_posts, users)
    return page | {"meta": _meta(posts, next_token)}, reads


def _meta(posts: Sequence[Post], next_token: str | None) -> Json:
    meta: Json = {"result_count": len(posts)}
    if posts:
        meta |= {"newest_id": posts[0].id, "oldest_id": posts[-1].id}
    return meta | ({} if next_token is None else {"next_token": next_token})


def _merged(includes: Iterable[Json]) -> Json:
    """Return the included objects of all posts, each once."""
    merged: dict[str, dict[str, Json]] = {}
    for one in includes:
        for kind, items in one.items():
            for item in items:
                merged.setdefault(kind, {}).setdefault(item[_NAMES[kind]], item)
    return {kind: list(items.values()) for kind, items in merged.items()}
