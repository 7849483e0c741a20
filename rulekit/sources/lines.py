"""Read a file line by line: any size of file, a bounded size of line."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from traptor.rulekit.sources.row import BadRow, SourceError

MAX_LINE_BYTES = 2 << 20  # a value of 1 MB, with room for its escapes
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of a file as text, with its line end."""

    number: int
    text: str


def read_lines(stream: BinaryIO) -> Iterator[TextLine | BadRow]:
    """Yield the lines; a byte order mark at the start is left out. Raises SourceError for UTF-16."""
    number = 0
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            raw = _without_mark(raw)
        if len(raw) > MAX_LINE_BYTES:
            _skip_rest(stream, raw)
            yield BadRow(number, f"the line has more than {MAX_LINE_BYTES >> 20} MiB")
            continue
        try:
            yield TextLine(number, raw.decode())
        except UnicodeDecodeError as error:
            yield BadRow(number, f"not UTF-8 (byte {error.start + 1} of the line); save the file as UTF-8")


def _without_mark(first: bytes) -> bytes:
    if first.startswith(_UTF16):
        raise SourceError("the file is UTF-16: save it as UTF-8 (in Excel: CSV UTF-8)")
    return first.removeprefix(codecs.BOM_UTF8)


def _skip_rest(stream: BinaryIO, piece: bytes) -> None:
    while piece and not piece.endswith(b"\n"):
        piece = stream.readline(MAX_LINE_BYTES)
