"""Encode messages as the bytes of one HTTP response: length prefixes, compression, and chunk borders."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from random import Random

_GZIP_WINDOW = 31
_FAST = 1


_KEEP_ALIVE = b"\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_MOST_AHEAD_BYTES = 6_000  # about one and a half messages


class Chunking(StrEnum):
    """The ways to place the chunk borders of the HTTP response."""

    WHOLE = "whole"  # one chunk, one message
    ODD = "odd"  # anywhere: inside a character, between \\r and \\n, several messages in one
    SPLIT = "split"  # within the next message: whole messages come in an unfinished chunk
    ANY = "any"  # one of these per connection


class Wire:
    """Turns messages into the bytes to write; keeps the state of one connection's compression and chunks.

    `is_chunked`: split chunks are made here. For all others, the writer makes one chunk of each piece.
    """

    def __init__(
        self, *, is_gzip: bool, is_delimited: bool, chunking: Chunking, seed: int, is_chunked: bool = True
    ) -> None:
        self._deflate = zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP_WINDOW) if is_gzip else None
        self._is_delimited = is_delimited
        self._rng = Random(seed)
        self._left = 0  # bytes left of the unfinished chunk
        self.is_odd = chunking is Chunking.ODD
        self.is_split = is_chunked and chunking is Chunking.SPLIT

    def chunks(self, messages: Sequence[bytes]) -> list[bytes]:
        """Return the bytes to write for these messages; they suffice for the client to decode all of them."""
        if not self.is_odd:
            return [self.raw(self._framed(message)) for message in messages]
        return odd_pieces(self.raw(b"".join(map(self._framed, messages))), self._rng)

    def raw(self, data: bytes) -> bytes:
        """Return bytes that are not a whole message, compressed if the connection is."""
        return self._split(self._flushed(data), self._rng.randrange(1, _MOST_AHEAD_BYTES))

    def finish(self) -> bytes:
        """Return the bytes that end a response properly."""
        end = b""
        while self._left:  # the announced bytes must follow: keep-alives
            end += self._split(self._flushed(_KEEP_ALIVE), 0)
        if self._deflate is not None:
            end += self._split(self._deflate.flush(zlib.Z_FINISH), 0)
        return end + _LAST_CHUNK if self.is_split else end

    def _flushed(self, data: bytes) -> bytes:
        if self._deflate is None:
            return data
        return self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _split(self, data: bytes, ahead_bytes: int) -> bytes:
        """Continue the unfinished chunk; a new one announces `ahead_bytes` more than there are."""
        if not self.is_split:
            return data
        framed = b""
        while data:
            if not self._left:
                self._left = len(data) + ahead_bytes
                framed += b"%x\r\n" % self._left
            part, data = data[: self._left], data[self._left :]
            self._left -= len(part)
            framed += part if self._left else part + b"\r\n"
        return framed

    def _framed(self, message: bytes) -> bytes:
        """Prefix a message for `delimited=length`: the length counts the closing \\r\\n, on its own line."""
        return b"%d\r\n%s" % (len(message), message) if self._is_delimited else message


def odd_pieces(data: bytes, rng: Random) -> list[bytes]:
    """Cut at some \\r\\n, inside some characters or their escapes, and anywhere.

    Together the pieces are the data.
    """
    between = [at + 1 for at in range(len(data) - 1) if data[at : at + 2] == b"\r\n"]
    inside = [at for at in range(1, len(data)) if 0x80 <= data[at] < 0xC0 or data[at - 2 : at] == b"\\u"]
    cuts = {at for at in between if rng.random() < 0.5}
    cuts.update(rng.sample(inside, min(3, len(inside))))
    cuts.update(rng.randrange(1, len(data)) for _ in range(2) if len(data) > 1)
    ends = [0, *sorted(cuts), len(data)]
    return [data[start:end] for start, end in pairwise(ends)]
