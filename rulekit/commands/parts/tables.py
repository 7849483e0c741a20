"""Tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from traptor.common.text import cut, one_line

_MOST_CHARACTERS = 100


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[str] = ()) -> Table:
    """Return a table without frames; `right` names the columns of numbers."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", show_header=any(heads))
    numbers = frozenset(right)
    for head in heads:
        made.add_column(head, justify="right" if head in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(one_line(cut(_text(cell), _MOST_CHARACTERS)) for cell in row))
    return made


def _text(cell: object) -> str:
    return " | ".join(map(str, cell)) if isinstance(cell, list | tuple) else str(cell)
