"""Rules as plain text: one value on each line."""

from __future__ import annotations

from typing import BinaryIO

from traptor.rulekit.sources.lines import read_lines
from traptor.rulekit.sources.row import BadRow, Row, Rows


def read_plain(stream: BinaryIO) -> Rows:
    """Yield a rule for each line that is not blank; a `#` begins a hashtag. Raises SourceError."""
    for line in read_lines(stream):
        if isinstance(line, BadRow):
            yield line
        elif value := line.text.strip():
            yield Row(line.number, {"value": value})
