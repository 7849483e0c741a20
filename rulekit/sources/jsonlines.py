"""Rules as JSON lines: one object of fields on each."""

from __future__ import annotations

from typing import BinaryIO

import orjson

from traptor.rulekit.sources.cells import row_of
from traptor.rulekit.sources.lines import read_lines
from traptor.rulekit.sources.row import BadRow, Row, Rows


def read_json_lines(stream: BinaryIO) -> Rows:
    """Yield the rules; blank lines are left out. Raises SourceError."""
    for line in read_lines(stream):
        if isinstance(line, BadRow):
            yield line
        elif line.text.strip():
            yield _row(line.number, line.text)


def _row(number: int, text: str) -> Row | BadRow:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return BadRow(number, f"not JSON: {error.msg} (column {error.colno})")
    if not isinstance(content, dict):
        return BadRow(number, 'not a JSON object such as {"value": "flood warning", "tag": "floods"}')
    return row_of(number, content)
