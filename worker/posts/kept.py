"""Find the posts that an output or an outbox holds, in either form in which posts are delivered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from traptor.worker.posts.head import HeadIncludes, HeadPost
from traptor.worker.seen.claims import KeptPost
from traptor.worker.seen.ids import number_of, numbers_of


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
    includes = delivered.includes
    included = () if includes is None else includes.tweets or includes.posts or ()
    received_at_s = _unix_of(delivered.traptor.collection.received_at)
    return KeptPost(
        post,
        tuple(numbers_of([one.id for one in included])),
        now_s if received_at_s is None else min(max(0.0, received_at_s), now_s),
    )


def _unix_of(received_at: str | None) -> float | None:
    try:
        return None if received_at is None else datetime.fromisoformat(received_at).timestamp()
    except ValueError:
        return None
