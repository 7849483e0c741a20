"""Choose the headers of a stream's response, and how the client learns where the body and its chunks end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from aiohttp import HttpVersion11, hdrs, web

from traptor.sandbox.wire.encoding import Chunking, Wire

_NEVER_BYTES = 1 << 50


class Framing(StrEnum):
    """The ways in which the client learns where the body ends."""

    CHUNKED = "chunked"  # compressed if the client accepts it
    PLAIN = "plain"  # chunked, never compressed: what is in a chunk is what the settings of chunks say
    CLOSE = "close"  # with the connection; not compressed
    LENGTH = "length"  # after more bytes than will ever come; not compressed
    GZIP = "gzip"  # with the connection; compressed if the client accepts it
    ANY = "any"  # one of these per connection


_IN_CHUNKS = frozenset({Framing.CHUNKED, Framing.PLAIN})


@dataclass(frozen=True, slots=True)
class Manner:
    """The framing and chunking of one response."""

    framing: Framing
    wire: Wire
    is_gzip: bool


class _Unframed(web.StreamResponse):
    """Writes bytes unchanged: framed already, or framed by the end of the connection."""

    _length_check = False


def choose_manner(
    request: web.Request, framing: Framing, chunking: Chunking, seed: int, *, is_delimited: bool = False
) -> Manner:
    """Return how to answer this request; the seed decides what the settings leave open."""
    framing, chunking = _settle(framing, chunking, seed)
    if request.version < HttpVersion11 and framing in _IN_CHUNKS:
        framing = Framing.GZIP if framing is Framing.CHUNKED else Framing.CLOSE
    accepts_gzip = "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower()
    is_gzip = accepts_gzip and framing in (Framing.CHUNKED, Framing.GZIP)
    wire = Wire(
        is_gzip=is_gzip,
        is_delimited=is_delimited,
        chunking=chunking,
        seed=seed,
        is_chunked=framing in _IN_CHUNKS,
    )
    return Manner(framing, wire, is_gzip)


def _settle(framing: Framing, chunking: Chunking, seed: int) -> tuple[Framing, Chunking]:
    rng = Random(seed)
    some_framing = rng.choice([one for one in Framing if one is not Framing.ANY])
    some_chunking = rng.choice([one for one in Chunking if one is not Chunking.ANY])
    return (
        some_framing if framing is Framing.ANY else framing,
        some_chunking if chunking is Chunking.ANY else chunking,
    )


async def answer(
    request: web.Request, manner: Manner, headers: dict[str, str] | None = None
) -> web.StreamResponse:
    """Send the headers of a 200."""
    is_split = manner.wire.is_split
    is_ours = is_split or manner.framing in (Framing.CLOSE, Framing.GZIP)
    response = (_Unframed if is_ours else web.StreamResponse)(
        headers={hdrs.CONTENT_TYPE: "application/json", **(headers or {})}
    )
    if manner.is_gzip:
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    response.force_close()
    if is_split:
        response.headers[hdrs.TRANSFER_ENCODING] = "chunked"
    elif manner.framing in _IN_CHUNKS:
        response.enable_chunked_encoding()
    elif manner.framing is Framing.LENGTH:
        response.content_length = _NEVER_BYTES
    await response.prepare(request)
    return response
