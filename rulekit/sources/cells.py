"""Convert what a source gives for one field to text, or say why it cannot be a rule's."""

from __future__ import annotations

import re
from collections.abc import Mapping

from traptor.common.text import quoted
from traptor.rulekit.sources.row import BadRow, Row

# 1.23E+18, 1,23E+18: a number of which a spreadsheet kept only some digits.
_ROUNDED = re.compile(r"\s*[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+\s*")


def row_of(number: int, content: Mapping[str, object]) -> Row | BadRow:
    """Return the row with these fields; those without content are left out."""
    fields = {name: value for name, value in content.items() if isinstance(value, str)}
    if len(fields) < len(content):
        fields = {}
        for name, value in content.items():
            if value is None:
                continue
            try:
                fields[name] = _text(value)
            except ValueError as error:
                return BadRow(number, f"field {quoted(name)} is {error}")
    if not fields.get("value", "").strip():
        return BadRow(number, "the field value is missing or empty")
    return Row(number, fields)


def rounded_number(fields: Mapping[str, str]) -> str | None:
    """Return the name of the field whose number a spreadsheet has rounded, or None."""
    return next((name for name, text in fields.items() if _ROUNDED.fullmatch(text)), None)


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            raise ValueError("a fraction or a rounded number; write it as text")
        case list() | dict():
            raise ValueError("a list or an object; the fields of a rule are text")
        case bytes():
            return _decoded(value)
    return str(value)  # dates, decimals and the like, from databases


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValueError("binary, and not UTF-8") from None
