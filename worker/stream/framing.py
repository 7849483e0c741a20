"""Extract the content of an HTTP response's body from its framing, and find its end (RFC 9112, 6 and 7).

Why by hand: docs/decisions/0013-reading-the-body-by-hand.md.
"""

from __future__ import annotations

import re
from typing import Protocol

import urllib3

_MOST_FRAMING_BYTES = 65_536
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_BETWEEN_CHUNKS = re.compile(rb"\r\n([0-9A-Fa-f]{1,15})\r\n")  # as nearly all arrive


class Framing(Protocol):
    """Takes the bytes of a body as they arrive and returns its content at once."""

    @property
    def is_ended(self) -> bool:
        """True when the body is complete."""

    @property
    def may_end(self) -> bool:
        """True when the connection may end here without truncating the body."""

    def take(self, data: bytes) -> bytes:
        """Return the content in `data`. Raises urllib3's ProtocolError."""


class UntilClose:
    """A body that ends with its connection."""

    is_ended = False
    may_end = True

    def take(self, data: bytes) -> bytes:
        """Return `data`."""
        return data


class Sized:
    """A body of a known length."""

    def __init__(self, size_bytes: int) -> None:
        self._left = size_bytes

    @property
    def is_ended(self) -> bool:
        """True when all of it has arrived."""
        return not self._left

    @property
    def may_end(self) -> bool:
        """True when all of it has arrived."""
        return self.is_ended

    def take(self, data: bytes) -> bytes:
        """Return the part of `data` that belongs to the body."""
        content = data[: self._left]
        self._left -= len(content)
        return content


class Chunked:
    """A body in chunks; its trailer is not waited for."""

    def __init__(self) -> None:
        self._left = 0  # bytes left of the chunk
        self._line = b""  # an unfinished line between chunks
        self._is_after_chunk = False  # its CRLF comes next
        self._is_last = False

    @property
    def is_ended(self) -> bool:
        """True when the last chunk has arrived."""
        return self._is_last

    @property
    def may_end(self) -> bool:
        """True when the last chunk has arrived."""
        return self._is_last

    def take(self, data: bytes) -> bytes:
        """Return the content of the chunks in `data`, including partial ones."""
        contents, at, end = [], 0, len(data)
        while at < end and not self._is_last:
            if not self._left:
                at = self._take_line(data, at)
                continue
            content = data[at : at + self._left]
            contents.append(content)
            at += len(content)
            self._left -= len(content)
            if not self._left:
                at = self._end_chunk(data, at)
        return contents[0] if len(contents) == 1 else b"".join(contents)

    def _end_chunk(self, data: bytes, at: int) -> int:
        between = _BETWEEN_CHUNKS.match(data, at)
        if between is None:  # it is incomplete, or has another form
            self._is_after_chunk = True
            return at
        self._left = int(between[1], 16)
        self._is_last = not self._left
        return between.end()

    def _take_line(self, data: bytes, start: int) -> int:
        """Take a line between chunks, or the part that arrived; return where the next begins."""
        end = data.find(b"\n", start) + 1
        self._line += data[start : end or len(data)]
        if len(self._line) > _MOST_FRAMING_BYTES:
            raise urllib3.exceptions.ProtocolError("the answer is not HTTP: an endless line between chunks")
        if not end:
            return len(data)
        line, self._line = self._line.rstrip(b"\r\n"), b""
        if self._is_after_chunk and not line:
            self._is_after_chunk = False
        else:
            self._begin_chunk(line)
        return end

    def _begin_chunk(self, line: bytes) -> None:
        size = None if self._is_after_chunk else _CHUNK_SIZE.fullmatch(line)
        if size is None:
            raise urllib3.exceptions.ProtocolError("the answer is not HTTP: a chunk without a size")
        self._left = int(size[1], 16)
        self._is_last = not self._left


def framing_of(length_bytes: int | None, *, is_chunked: bool) -> Framing:
    """Return the framing of a body whose response names this length, or none."""
    if is_chunked:
        return Chunked()
    return UntilClose() if length_bytes is None else Sized(length_bytes)
