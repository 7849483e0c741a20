"""One row of a source: the fields of a rule, or why it is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from traptor.common.errors import TraptorError


@dataclass(frozen=True, slots=True)
class Row:
    """The fields of one rule as text, and the number of the line (or row) that it comes from."""

    number: int
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no rule; `reason` is a sentence for its owner."""

    number: int
    reason: str


Rows = Iterator[Row | BadRow]


class SourceError(TraptorError):
    """A source cannot be read at all."""
