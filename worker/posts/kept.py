"""Find the posts that an output or an outbox holds, in either form in which posts are delivered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from traptor.worker.posts.head import HeadIncludes, HeadPost
from traptor.worker.posts.paid import posts_in
from traptor.worker.posts.past import written_at
from traptor.worker.seen.claims import KeptPost
from traptor.worker.seen.ids import number_of
from traptor.worker.tweets.timestamps import unix_ms_of_created_at


class _Collection(msgspec.Struct, frozen=True, gc=False):
    received_at: str | None = None


class _Traptor(msgspec.Struct, frozen=True, gc=False):
    collection: _Collection = _Collection()


class _Delivered(msgspec.Struct, frozen=True, gc=False):
    """A delivered post, native or as a tweet of v1.1."""

    data: HeadPost | None = None
    id_str: str | None = None
    includes: HeadIncludes | None = None
    traptor: _Traptor = _Traptor()


_decode = msgspec.json.Decoder(_Delivered).decode


def kept_posts(bodies: Iterable[bytes], now_s: float) -> list[KeptPost]:
    """Return the posts of messages, in the order in which they were delivered; `now_s` is unix time.

    One that does not say when it came (`extras = no`) came when it was written, or when one before it came:
    exactly so on a stream, nearly so among the posts of a gap.
    """
    posts, latest_s = [], 0.0
    for post, included, said_s, written_s in _found(bodies):
        latest_s = max(latest_s, min(written_s if said_s is None else said_s, now_s))
        posts.append(KeptPost(post, included, latest_s if said_s is None else min(said_s, now_s)))
    return posts


def kept_together(bodies: Iterable[bytes], noted_s: float | None, now_s: float) -> list[KeptPost]:
    """Return the posts of messages that were kept at once, not long after `noted_s` (unix time, if known).

    Those that do not say when they came came then, or when the last of them was written.
    """
    found = [*_found(bodies)]
    came_s = min(max([noted_s or 0.0, *(written_s for *_, written_s in found)]), now_s)
    return [
        KeptPost(post, included, came_s if said_s is None else min(said_s, now_s))
        for post, included, said_s, _ in found
    ]


def _found(bodies: Iterable[bytes]) -> Iterator[tuple[int, tuple[int, ...], float | None, float]]:
    """Yield the posts with those that they included, when they came, if they say so, and were written."""
    for body in bodies:
        try:
            delivered = _decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):  # a foreign line, or a damaged one
            continue
        post_id = delivered.id_str if delivered.data is None else delivered.data.id
        post = number_of(post_id)
        if post is None:
            continue
        received_at = delivered.traptor.collection.received_at
        received_at_ms = None if received_at is None else unix_ms_of_created_at(received_at)
        yield (
            post,
            () if delivered.includes is None else posts_in(delivered.includes),
            None if received_at_ms is None else max(0.0, received_at_ms / 1000),
            written_at(post_id) or 0.0,
        )
