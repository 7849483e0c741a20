"""Rules as CSV with a header line, as spreadsheets write it: commas, semicolons or tabs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO

from traptor.common.text import quoted
from traptor.rulekit.sources.cells import rounded_number, row_of
from traptor.rulekit.sources.lines import MAX_LINE_BYTES, read_lines
from traptor.rulekit.sources.row import BadRow, Row, Rows, SourceError

_DELIMITERS = ",;\t"
_NUMBERS = ("rule_id", "value")  # a rounded number in these would be another rule


def read_table(stream: BinaryIO) -> Rows:
    """Yield the rules; a header names the fields, `value` among them.

    Raises SourceError when the header cannot be used.
    """
    return _Table(stream).rows()


class _Table:
    def __init__(self, stream: BinaryIO) -> None:
        self._lines = read_lines(stream)
        self._bad: list[BadRow] = []  # lines that no row can be made of

    def rows(self) -> Rows:
        header = next(self._texts(), "")
        yield from self._bad
        delimiter = max(_DELIMITERS, key=header.count)
        names = _names(_cells(header, delimiter))
        csv.field_size_limit(MAX_LINE_BYTES)
        reader = csv.reader(self._texts(), delimiter=delimiter)
        while True:
            self._bad.clear()
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield BadRow(reader.line_num + 1, f"not CSV: {error}")
                continue
            yield from self._bad
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield _row(reader.line_num + 1, names, cells)

    def _texts(self) -> Iterator[str]:
        for line in self._lines:
            if isinstance(line, BadRow):
                self._bad.append(line)
                yield "\n"  # so that the reader's count of lines stays right
            else:
                yield line.text.replace("\0", "\ufffd")


def _cells(header: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error as error:
        raise SourceError(f"the first line is not CSV: {error}") from None


def _names(header: list[str]) -> list[str]:
    names = [cell.strip().lower().replace(" ", "_") for cell in header]
    if "value" not in names:
        shown = ", ".join(quoted(name) for name in names[:10]) or "nothing"
        raise SourceError(f"the first line must name the fields, value among them; it names {shown}")
    if twice := next((name for name in names if name and names.count(name) > 1), None):
        raise SourceError(f"the first line names {quoted(twice)} twice")
    return names


def _row(number: int, names: list[str], cells: list[str]) -> Row | BadRow:
    if len(cells) > len(names):
        return BadRow(number, f"{len(cells)} cells, but the first line names {len(names)}")
    fields = {name: cell for name, cell in zip(names, cells, strict=False) if name and cell.strip()}
    numbers = {name: fields[name] for name in _NUMBERS if name in fields}
    if rounded := rounded_number(numbers):
        return BadRow(
            number,
            f"{rounded} is {quoted(fields[rounded].strip())}: the spreadsheet has rounded it;"
            " format the column as text, fill it again and save",
        )
    return row_of(number, fields)
