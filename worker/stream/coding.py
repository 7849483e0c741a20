"""The compression of a response's body (RFC 9110, 8.4.1)."""

from __future__ import annotations

import zlib
from typing import Protocol

import urllib3

_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_ANY_HEADER = 32 + zlib.MAX_WBITS  # gzip or zlib, whichever arrives
# A flush ends with an empty stored block (RFC 1951, 3.2.4): everything sent before it can be decoded.
_FLUSHED = b"\x00\x00\xff\xff"


class Coding(Protocol):
    """Takes the content of a body as it arrives, and decodes it."""

    @property
    def has_more(self) -> bool:
        """True when `more` may return something."""

    @property
    def is_flushed(self) -> bool:
        """True when nothing received is held back."""

    def take(self, data: bytes) -> bytes:
        """Return what can be decoded of `data`, or its beginning. Raises urllib3's ProtocolError."""

    def more(self) -> bytes:
        """Return the next piece of what was taken. Raises urllib3's ProtocolError."""


class Plain:
    """Give content that is not compressed as it is."""

    has_more = False
    is_flushed = True

    def take(self, data: bytes) -> bytes:
        """Return `data`."""
        return data

    def more(self) -> bytes:
        """Return nothing."""
        return b""


class Deflated:
    """Compressed content, decoded in pieces of at most `most_bytes`, however much it grows."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._inflate = zlib.decompressobj(_ANY_HEADER)
        self._rest = b""
        self._is_full = False  # the last piece had no room for all
        self._last_bytes = b""  # received
        self._gave = True  # something, since the last bytes arrived
        self._ends_in_flushes = False

    @property
    def has_more(self) -> bool:
        """True when `more` may return something."""
        return self._is_full or bool(self._rest)

    @property
    def is_flushed(self) -> bool:
        """True when nothing received is held back.

        Exact for a server that flushes. One that never did holds back at most a part of a message, and only
        after whole ones: then the answer is whether something could be decoded.
        """
        if self.has_more:
            return False
        is_marked = self._last_bytes == _FLUSHED or self._inflate.eof
        return is_marked or (self._gave and not self._ends_in_flushes)

    def take(self, data: bytes) -> bytes:
        """Return what can be decoded of `data`, or its beginning. Raises urllib3's ProtocolError."""
        if not data:
            return b""
        self._rest, self._gave = self._rest + data, False
        self._last_bytes = (self._last_bytes + data[-4:])[-4:]
        self._ends_in_flushes |= self._last_bytes == _FLUSHED
        return self.more()

    def more(self) -> bytes:
        """Return the next piece of what was taken. Raises urllib3's ProtocolError."""
        if self._inflate.eof:
            self._inflate = zlib.decompressobj(_ANY_HEADER)
        try:
            piece = self._inflate.decompress(self._rest, self._most_bytes)
        except zlib.error as error:
            raise urllib3.exceptions.ProtocolError(f"the answer's compression is broken: {error}") from error
        self._rest = self._inflate.unconsumed_tail or self._inflate.unused_data
        self._is_full = len(piece) == self._most_bytes
        self._gave |= bool(piece)
        return piece


def coding_of(header: str, most_bytes: int) -> Coding:
    """Return the decoder for this `Content-Encoding`; an encoding that was not requested is not decoded."""
    return Deflated(most_bytes) if header.strip().lower() in _CODINGS else Plain()
