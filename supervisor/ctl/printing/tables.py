"""Print answers: tables for people, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from traptor.common.terminal import report_console
from traptor.common.text import one_line, safe_json

_UNLIMITED = 10_000
_NARROWEST = 20

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text for people.")


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(safe_json(json.dumps(value, indent=2, ensure_ascii=False).encode()))


def print_json_line(value: Any) -> None:
    """Print a value as one line of JSON."""
    click.echo(safe_json(json.dumps(value, ensure_ascii=False).encode()))


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    numbers: Sequence[str] = (),
    sentences: Sequence[str] = (),
) -> Table:
    """Return a table without borders; the columns named in `numbers` are aligned to the right.

    Those in `sentences` may take several lines; the others are cut where there is no room.
    """
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(
            column, justify="right" if column in numbers else "left", no_wrap=column not in sentences
        )
    for row in rows:
        shown.add_row(*(cell if isinstance(cell, Text) else Text(one_line(cell)) for cell in row))
    return shown


@dataclass(frozen=True, slots=True)
class FittingTable:
    """A table with as many columns as the terminal has room for; a column without content takes none.

    `first_to_go` are the columns that a narrow terminal does without, in this order.
    """

    rows: Sequence[Mapping[str, str | Text]]
    first_to_go: Sequence[str]
    numbers: Sequence[str] = ()
    sentences: Sequence[str] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table."""
        unlimited = options.update(max_width=_UNLIMITED)
        columns = [name for name in self.rows[0] if any(str(row[name]) for row in self.rows)]
        for name in self.first_to_go:
            if Measurement.get(console, unlimited, self._with(columns)).maximum <= options.max_width:
                break
            columns = [column for column in columns if column != name]
        yield self._with(columns)

    def _with(self, columns: Sequence[str]) -> Table:
        rows = [[row[column] for column in columns] for row in self.rows]
        return table(columns, rows, self.numbers, self.sentences)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A text whose lines after the first are indented, where the terminal is narrower than the text."""

    text: Text
    indent: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield its lines."""
        lines = self.text.wrap(console, max(_NARROWEST, options.max_width - self.indent))
        for number, line in enumerate(lines):
            line.rstrip()
            yield line if number == 0 else Text(" " * self.indent).append_text(line)


def print_line(line: str) -> None:
    """Print a line, broken between words where the terminal is narrow; what follows is indented more."""
    indent = len(line) - len(line.lstrip()) + 2
    report_console().print(Paragraph(Text(one_line(line)), indent))


def print_table(shown: Table) -> None:
    """Print a table on stdout."""
    report_console().print(shown)
