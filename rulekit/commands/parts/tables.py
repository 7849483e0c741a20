"""Tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from traptor.common.text import cut, one_line

_MOST_CHARACTERS = 100
MOST_OF_ONE = 1_000
"""How many characters of a text are shown where a table is about one thing: all of most reasons."""


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    right: Iterable[str] = (),
    most: int = _MOST_CHARACTERS,
) -> Table:
    """Return a table without frames; `right` names the columns of numbers; texts are cut at `most`."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", show_header=any(heads))
    numbers = frozenset(right)
    for head in heads:
        made.add_column(head, justify="right" if head in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(one_line(cut(_text(cell), most)) for cell in row))
    return made


def _text(cell: object) -> str:
    return " | ".join(map(str, cell)) if isinstance(cell, list | tuple) else str(cell)
