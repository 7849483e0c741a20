"""Find the posts that an output or an outbox holds, in either form in which posts are delivered."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from traptor.worker.posts.head import HeadIncludes, HeadPost
from traptor.worker.posts.paid import posts_in
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
    """Return the posts of delivered messages; those that do not say when they came, came now (unix time)."""
    return [kept for body in bodies if (kept := _kept(body, now_s)) is not None]


def _kept(body: bytes, now_s: float) -> KeptPost | None:
    try:
        delivered = _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # a foreign line, or a damaged one
        return None
    post = number_of(delivered.id_str if delivered.data is None else delivered.data.id)
    if post is None:
        return None
    received_at = delivered.traptor.collection.received_at
    received_at_ms = None if received_at is None else unix_ms_of_created_at(received_at)
    return KeptPost(
        post,
        () if delivered.includes is None else posts_in(delivered.includes),
        now_s if received_at_ms is None else min(max(0.0, received_at_ms / 1000), now_s),
    )
