"""Rebuild the v1.1 form of a post, for readers that were made for it.

Members without a source at API v2 are null, or false where v1.1 knew no null; a user who was not paid for has
an id alone. docs/migrating.md has the table for owners of such readers. Most members are copied from the line
as they are: each object is joined from its members' JSON, not made of Python's objects and encoded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import orjson

from traptor.worker.payload.entities import quoted_link, v1_entities
from traptor.worker.payload.fragments import counts_of, ids_of
from traptor.worker.payload.included import v1_place, v1_user
from traptor.worker.payload.source import (
    NOTHING_INCLUDED,
    NULL,
    LongText,
    SentFrom,
    SourceIncludes,
    SourceLine,
    SourcePost,
    decode_alone,
)
from traptor.worker.payload.times import timestamp_ms, v1_time
from traptor.worker.posts.head import PostHead

_REFERS_TO_NONE: Mapping[str | None, str | None] = {}
_NOT_CUT = b',"truncated":false'
_NO_REPLY = (
    b',"in_reply_to_status_id":null,"in_reply_to_status_id_str":null'
    b',"in_reply_to_user_id":null,"in_reply_to_user_id_str":null,"in_reply_to_screen_name":null'
)
_NOWHERE = b',"geo":null,"coordinates":null,"place":null'
_QUOTES_NOTHING = b',"is_quote_status":false'
_COUNTS = b',"quote_count":%d,"reply_count":%d,"retweet_count":%d,"favorite_count":%d'
_FLAGS = b',"favorited":false,"retweeted":false,"filter_level":null,"possibly_sensitive":'


def rebuilt(raw: bytes, head: PostHead, post_id: int) -> bytes | None:
    """Return the v1.1 tweet of a line's post as one JSON object; None where that cannot be made.

    `post_id` is its id as a number, 0 for no usual id. A head that was not decoded by `decode_source` has a
    member of a type that X does not document, of which the tweet may have no need.
    """
    if post_id <= 0:
        return None
    try:
        source = head if isinstance(head, SourceLine) else decode_alone(raw)
        assert source.data is not None
        return _tweet(source.data, post_id, source.includes or NOTHING_INCLUDED)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # such as an id that is no number
        return None


def _tweet(post: SourcePost, post_id: int, included: SourceIncludes) -> bytes:
    digits, counts, note = b"%d" % post_id, post.public_metrics, post.note_tweet or post.note_post
    references = _references(post)
    replied_to, user_id = references.get("replied_to"), post.in_reply_to_user_id
    versions = post.edit_history_tweet_ids or post.edit_history_post_ids or ()
    shown = post.display_text_range
    return b"".join((
        b'{"created_at":', v1_time(post.created_at),
        b',"id":', digits, b',"id_str":"', digits,
        b'","text":', post.text,
        b"" if shown == NULL else b',"display_text_range":%b' % shown,
        b',"source":', post.source,
        _NOT_CUT if note is None else _cut(note, included),
        _NO_REPLY if replied_to is None and user_id is None else _reply(post, replied_to, user_id, included),
        b',"user":', v1_user(post.author_id, included),
        _NOWHERE if post.geo is None else _where(post.geo, included),
        b',"contributors":null', _others(post, references, included) if references else _QUOTES_NOTHING,
        counts_of(
            _COUNTS, (counts.quote_count, counts.reply_count, counts.retweet_count, counts.like_count)
        ),
        v1_entities(post.entities, included),
        _FLAGS, post.possibly_sensitive,
        b',"lang":', post.lang,
        b',"timestamp_ms":', timestamp_ms(post_id, post.created_at),
        b"" if post.withheld is None else b',"withheld_in_countries":%b' % post.withheld.country_codes,
        b"" if len(versions) < 2 else _edited(versions),
        b"}",
    ))  # fmt: skip


def _cut(note: LongText, included: SourceIncludes) -> bytes:
    """Return the whole of a text that the tweet itself has cut."""
    return b"".join((
        b',"truncated":true,"extended_tweet":{"full_text":', orjson.dumps(note.text),
        b',"display_text_range":[0,%d]' % len(note.text),
        v1_entities(note.entities, included), b"}",
    ))  # fmt: skip


def _reply(post: SourcePost, post_id: str | None, user_id: str | None, included: SourceIncludes) -> bytes:
    return b"".join((
        ids_of(b"in_reply_to_status_id", post_id),
        ids_of(b"in_reply_to_user_id", user_id),
        b',"in_reply_to_screen_name":', NULL if user_id is None else _screen_name(post, user_id, included),
    ))  # fmt: skip


def _screen_name(post: SourcePost, user_id: str, included: SourceIncludes) -> bytes:
    user = included.user(user_id)
    if user is not None:
        return user.username
    return next((one.username for one in post.entities.mentions if one.id == user_id), NULL)


def _where(sent: SentFrom, included: SourceIncludes) -> bytes:
    point = None if sent.coordinates is None else sent.coordinates.coordinates
    return b"".join((
        b',"geo":', NULL if point is None else _point(point[1], point[0]),
        b',"coordinates":', NULL if point is None else _point(*point),
        b',"place":', v1_place(included.place(sent.place_id)),
    ))  # fmt: skip


def _point(first: bytes, second: bytes) -> bytes:
    return b'{"type":"Point","coordinates":[%b,%b]}' % (first, second)


def _references(post: SourcePost) -> Mapping[str | None, str | None]:
    """Return the ids of the posts that it reposted, quoted or replied to, by kind: the first of each."""
    found = post.referenced_tweets or post.referenced_posts
    return {one.type: one.id for one in reversed(found)} if found else _REFERS_TO_NONE


def _others(post: SourcePost, references: Mapping[str | None, str | None], included: SourceIncludes) -> bytes:
    """Return the reposted and the quoted tweet; null where the post was not paid for."""
    reposted_id = references.get("retweeted")
    reposted = None if reposted_id is None else included.post(reposted_id)
    retweeted = b"" if reposted_id is None else b',"retweeted_status":' + _included(reposted, included)
    if reposted is not None:  # a repost of a quote refers to the quote alone
        post, references = reposted, _references(reposted)
    quoted_id = references.get("quoted")
    if quoted_id is None:
        return retweeted + _QUOTES_NOTHING
    return b"".join((
        retweeted,
        b',"is_quote_status":true', ids_of(b"quoted_status_id", quoted_id),
        b',"quoted_status":', _included(included.post(quoted_id), included),
        b',"quoted_status_permalink":', quoted_link(post.entities, quoted_id),
    ))  # fmt: skip


def _included(post: SourcePost | None, included: SourceIncludes) -> bytes:
    return NULL if post is None else _tweet(post, int(post.id or 0), included)


def _edited(versions: Sequence[str]) -> bytes:
    return b',"edit_history":%b' % orjson.dumps({"initial_tweet_id": versions[0], "edit_tweet_ids": versions})
