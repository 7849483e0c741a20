"""Rebuild the v1.1 form of a post, for readers that were made for it.

Members without a source at API v2 are null, or false where v1.1 knew no null; a user who was not paid for has
an id alone. docs/migrating.md has the table for owners of such readers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from traptor.worker.payload.entities import quoted_link, v1_entities
from traptor.worker.payload.form import V1Extended, V1Point, V1Tweet
from traptor.worker.payload.included import v1_place, v1_user
from traptor.worker.payload.source import LongText, SourceIncludes, SourceLine, SourcePost
from traptor.worker.payload.times import timestamp_ms, v1_time


class Rebuilt(msgspec.Struct, frozen=True, gc=False):
    """A rebuilt tweet, as the enrichment asks for it."""

    created_at: str | None
    has_traptor: bool = False


class _Others(NamedTuple):
    """The reposted and the quoted tweet; null where the post was not paid for."""

    reposted: V1Tweet | UnsetType | None = UNSET
    quotes: bool = False
    quoted_id: int | UnsetType = UNSET
    quoted_id_str: str | UnsetType = UNSET
    quoted: V1Tweet | UnsetType | None = UNSET
    quoted_link: dict[str, Any] | UnsetType | None = UNSET


_ALONE = _Others()
_decode = msgspec.json.Decoder(SourceLine).decode
_encode = msgspec.json.Encoder().encode


def rebuilt(line: bytes) -> bytes | None:
    """Return the v1.1 tweet of a line's post as one JSON object; None where that cannot be made."""
    try:
        source = _decode(line)
        return _encode(_tweet(source.data, source.includes))
    except (msgspec.MsgspecError, ValueError, RecursionError):  # a type that X does not document
        return None


def _tweet(post: SourcePost, included: SourceIncludes) -> V1Tweet:
    post_id, counts, user_id = int(post.id), post.public_metrics, post.in_reply_to_user_id
    refers = bool(post.referenced_tweets or post.referenced_posts)
    status_id = post.reference("replied_to") if refers else None
    others = _referenced(post, included) if refers else _ALONE
    entities, media = v1_entities(post.entities, included)
    note = post.note_tweet or post.note_post
    point = post.geo.coordinates if post.geo is not None else None
    return V1Tweet(  # in the order of its members
        v1_time(post.created_at),
        post_id,
        post.id,
        post.text,
        note is not None,
        UNSET if post.display_text_range is None else post.display_text_range,
        UNSET if note is None else _extended(note, included),
        post.source,
        None if status_id is None else int(status_id),
        status_id,
        None if user_id is None else int(user_id),
        user_id,
        None if user_id is None else _screen_name(post, user_id, included),
        None if post.author_id is None else v1_user(post.author_id, included),
        None if point is None else V1Point("Point", (point.coordinates[1], point.coordinates[0])),  # geo
        None if point is None else V1Point("Point", point.coordinates),
        None if post.geo is None else v1_place(included.place(post.geo.place_id)),
        None,  # contributors
        others.reposted,
        others.quotes,
        others.quoted_id,
        others.quoted_id_str,
        others.quoted,
        others.quoted_link,
        counts.quote_count,
        counts.reply_count,
        counts.retweet_count,
        counts.like_count,
        entities,
        media,
        False,  # favorited
        False,  # retweeted
        post.possibly_sensitive,
        None,  # filter_level
        post.lang,
        timestamp_ms(post_id, post.created_at),
        UNSET if post.withheld is None else post.withheld.country_codes,
        _versions(post),
    )


def _extended(note: LongText, included: SourceIncludes) -> V1Extended:
    return V1Extended(note.text, (0, len(note.text)), *v1_entities(note.entities, included))


def _screen_name(post: SourcePost, user_id: str, included: SourceIncludes) -> str | None:
    user = included.user(user_id)
    if user is not None:
        return user.username
    return next((one.username for one in post.entities.mentions if one.id == user_id), None)


def _referenced(post: SourcePost, included: SourceIncludes) -> _Others:
    reposted_id = post.reference("retweeted")
    reposted = None if reposted_id is None else included.post(reposted_id)
    retweeted: V1Tweet | UnsetType | None = UNSET
    if reposted_id is not None:
        retweeted = None if reposted is None else _tweet(reposted, included)
    quoting = post if reposted is None else reposted  # a repost of a quote refers to the quote alone
    quoted_id = quoting.reference("quoted")
    if quoted_id is None:
        return _Others(retweeted)
    quoted = included.post(quoted_id)
    tweet = None if quoted is None else _tweet(quoted, included)
    link = quoted_link(quoting.entities, quoted_id)
    return _Others(retweeted, True, int(quoted_id), quoted_id, tweet, link)


def _versions(post: SourcePost) -> Any:
    versions = post.edit_history_tweet_ids or post.edit_history_post_ids
    if len(versions) < 2:
        return UNSET
    return {"initial_tweet_id": versions[0], "edit_tweet_ids": versions}
