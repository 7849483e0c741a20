"""Messages as bytes of one HTTP answer: length prefixes, compression, and where chunks end."""

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
_MOST_AHEAD_BYTES = 6_000  # about a message and a half


class Chunking(StrEnum):
    """Where the chunks of the HTTP answer end."""

    WHOLE = "whole"  # one chunk, one message
    ODD = "odd"  # anywhere: inside a character, between \\r and \\n, several messages in one
    SPLIT = "split"  # within the next message: whole ones come in a chunk that is not yet whole
    ANY = "any"  # each connection by one of these


class Wire:
    """Turns messages into what is written; it keeps the state of one connection's compression and chunks.

    `is_chunked`: split chunks are made here. All others are made by whoever writes, of each piece one.
    """

    def __init__(
        self, *, is_gzip: bool, is_delimited: bool, chunking: Chunking, seed: int, is_chunked: bool = True
    ) -> None:
        self._deflate = zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP_WINDOW) if is_gzip else None
        self._is_delimited = is_delimited
        self._rng = Random(seed)
        self._left = 0  # of the chunk that was begun
        self.is_odd = chunking is Chunking.ODD
        self.is_split = is_chunked and chunking is Chunking.SPLIT

    def chunks(self, messages: Sequence[bytes]) -> list[bytes]:
        """Return what to write for these messages; a client that has it all can read them all."""
        if not self.is_odd:
            return [self.raw(self._framed(message)) for message in messages]
        return odd_pieces(self.raw(b"".join(map(self._framed, messages))), self._rng)

    def raw(self, data: bytes) -> bytes:
        """Return bytes that are no whole message, compressed when the connection is."""
        return self._split(self._flushed(data), self._rng.randrange(1, _MOST_AHEAD_BYTES))

    def finish(self) -> bytes:
        """Return the bytes that end an answer properly."""
        end = b""
        while self._left:  # what was announced must come: keep-alives
            end += self._split(self._flushed(_KEEP_ALIVE), 0)
        if self._deflate is not None:
            end += self._split(self._deflate.flush(zlib.Z_FINISH), 0)
        return end + _LAST_CHUNK if self.is_split else end

    def _flushed(self, data: bytes) -> bytes:
        if self._deflate is None:
            return data
        return self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _split(self, data: bytes, ahead_bytes: int) -> bytes:
        """Go on with the begun chunk; a new one goes on for so many bytes more than there are."""
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
        """`delimited=length`: the length counts the closing \\r\\n and stands on its own line."""
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
