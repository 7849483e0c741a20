"""Lines of an API v2 stream, and the meanings of filters, for the tests of the worker."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from traptor.common.filters import Meaning
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.postline import read_line

Json = dict[str, Any]


def post_fields(text: str = "", **members: Any) -> Json:
    """The members of a post without expansions."""
    fields: Json = {
        "id": "900000000000000020",
        "text": text,
        "author_id": "42",
        "created_at": "2026-09-23T10:00:00.000Z",
        "edit_history_tweet_ids": ["900000000000000020"],
    }
    return fields | members


def post_line(fields: Json, *filters: str, **members: Any) -> bytes:
    """A line as X writes it, with the filters that found the post."""
    named = [{"id": one, "tag": "t"} for one in filters]
    return json.dumps({"data": fields, **members, "matching_rules": named}, ensure_ascii=False).encode()


def head_of(raw: bytes) -> PostHead:
    """The head of a line that is a post."""
    head = read_line(raw)
    assert isinstance(head, PostHead)
    return head


def repost_of(fields: Json, **members: Any) -> Json:
    """A post that reposts another: its text is the beginning of the other's."""
    mention = {"start": 3, "end": 6, "username": "bo", "id": fields["author_id"]}
    return post_fields(
        f"RT @bo: {fields['text']}"[:139] + "…",
        referenced_tweets=[{"type": "retweeted", "id": fields["id"]}],
        entities={"mentions": [mention]},
        **members,
    )


def single(filter_id: str, group: str, *values: str) -> Meaning:
    """A filter that names its values by its id alone."""
    return Meaning(filter_id, group, values, is_packed=False)


def packed(filter_id: str, group: str, values: Iterable[str]) -> Meaning:
    """A filter of several values."""
    return Meaning(filter_id, group, tuple(values), is_packed=True)
