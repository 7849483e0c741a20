"""The lines of a stream, in whatever pieces it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import urllib3

# A tweet with all that is in it has some ten thousand bytes.
MOST_LINE_BYTES = 16 << 20
LINE_ENDS = (b"\r", b"\n")


def stream_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Every line without its end (CR, LF or both), blank ones too.

    In place of requests' `iter_lines`, which joins a long line anew with each piece, and takes one without an
    end until no memory is left. Raises urllib3's ProtocolError for that.
    """
    begun: list[bytes] = []  # the line that the next piece goes on with
    for piece in pieces:
        first, *others = piece.splitlines() or [b""]
        if others or _is_ended(piece):
            others.insert(0, b"".join((*begun, first)))
            begun = [] if _is_ended(piece) else [others.pop()]
            yield from others
        else:
            begun.append(first)
            _check(sum(map(len, begun)))
    if begun:
        yield b"".join(begun)


def _is_ended(piece: bytes) -> bool:
    return piece.endswith(LINE_ENDS)


def _check(size_bytes: int) -> None:
    if size_bytes > MOST_LINE_BYTES:
        raise urllib3.exceptions.ProtocolError(f"a line of more than {MOST_LINE_BYTES} bytes")
