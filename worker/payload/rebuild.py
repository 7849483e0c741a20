"""Rebuild the v1.1 form of a post, for readers that were made for it.

Members without a source at API v2 are null, or false where v1.1 knew no null; a user who was not paid for has
an id alone. docs/migrating.md has the table for owners of such readers.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from traptor.worker.payload.entities import quoted_link, v1_entities
from traptor.worker.payload.form import V1Extended, V1Point, V1Tweet
from traptor.worker.payload.included import v1_place, v1_user
from traptor.worker.payload.source import LongText, SourceIncludes, SourceLine, SourcePost
from traptor.worker.payload.times import timestamp_ms, v1_time


class Rebuilt(msgspec.Struct, frozen=True, gc=False):
    """A rebuilt tweet, as the enrichment asks for it."""

    created_at: str | None
    has_traptor: bool = False


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
    status_id = post.reference("replied_to")
    entities, media = v1_entities(post.entities, included)
    note = post.note_tweet or post.note_post
    point = post.geo.coordinates if post.geo is not None else None
    return V1Tweet(
        created_at=v1_time(post.created_at),
        id=post_id,
        id_str=post.id,
        text=post.text,
        truncated=note is not None,
        display_text_range=UNSET if post.display_text_range is None else post.display_text_range,
        extended_tweet=UNSET if note is None else _extended(note, included),
        source=post.source,
        in_reply_to_status_id=None if status_id is None else int(status_id),
        in_reply_to_status_id_str=status_id,
        in_reply_to_user_id=None if user_id is None else int(user_id),
        in_reply_to_user_id_str=user_id,
        in_reply_to_screen_name=None if user_id is None else _screen_name(post, user_id, included),
        user=None if post.author_id is None else v1_user(post.author_id, included),
        geo=None if point is None else V1Point("Point", (point.coordinates[1], point.coordinates[0])),
        coordinates=None if point is None else V1Point("Point", point.coordinates),
        place=None if post.geo is None else v1_place(included.place(post.geo.place_id)),
        quote_count=counts.quote_count,
        reply_count=counts.reply_count,
        retweet_count=counts.retweet_count,
        favorite_count=counts.like_count,
        entities=entities,
        extended_entities=media,
        possibly_sensitive=post.possibly_sensitive,
        lang=post.lang,
        timestamp_ms=timestamp_ms(post_id, post.created_at),
        withheld_in_countries=UNSET if post.withheld is None else post.withheld.country_codes,
        edit_history=_versions(post),
        **(_referenced(post, included) if post.referenced_tweets or post.referenced_posts else _ALONE),
    )


_ALONE: dict[str, Any] = {"is_quote_status": False}


def _extended(note: LongText, included: SourceIncludes) -> V1Extended:
    return V1Extended(note.text, (0, len(note.text)), *v1_entities(note.entities, included))


def _screen_name(post: SourcePost, user_id: str, included: SourceIncludes) -> str | None:
    user = included.user(user_id)
    if user is not None:
        return user.username
    return next((one.username for one in post.entities.mentions if one.id == user_id), None)


def _referenced(post: SourcePost, included: SourceIncludes) -> dict[str, Any]:
    """Return the reposted and the quoted tweet; null where the post was not paid for."""
    found: dict[str, Any] = {}
    reposted_id = post.reference("retweeted")
    reposted = None if reposted_id is None else included.post(reposted_id)
    if reposted_id is not None:
        found["retweeted_status"] = None if reposted is None else _tweet(reposted, included)
    quoting = post if reposted is None else reposted  # a repost of a quote refers to the quote alone
    quoted_id = quoting.reference("quoted")
    found["is_quote_status"] = quoted_id is not None
    if quoted_id is not None:
        quoted = included.post(quoted_id)
        found["quoted_status_id"], found["quoted_status_id_str"] = int(quoted_id), quoted_id
        found["quoted_status"] = None if quoted is None else _tweet(quoted, included)
        found["quoted_status_permalink"] = quoted_link(quoting.entities, quoted_id)
    return found


def _versions(post: SourcePost) -> Any:
    versions = post.edit_history_tweet_ids or post.edit_history_post_ids
    if len(versions) < 2:
        return UNSET
    return {"initial_tweet_id": versions[0], "edit_tweet_ids": versions}
