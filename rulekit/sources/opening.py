"""Open a source by its form."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from traptor.common.rules.rule import RuleType
from traptor.rulekit.sources.gnip import read_gnip
from traptor.rulekit.sources.jsonlines import read_json_lines
from traptor.rulekit.sources.plain import read_plain
from traptor.rulekit.sources.row import Rows, SourceError
from traptor.rulekit.sources.table import read_table

STDIN = Path("-")


class Form(StrEnum):
    """The forms of a file of rules."""

    JSONL = "jsonl"
    CSV = "csv"
    GNIP = "gnip"
    TEXT = "text"


_BY_SUFFIX = {
    ".jsonl": Form.JSONL,
    ".ndjson": Form.JSONL,
    ".json": Form.GNIP,
    ".csv": Form.CSV,
    ".tsv": Form.CSV,
    ".txt": Form.TEXT,
}


def form_of(path: Path) -> Form:
    """Return the form that the file's name promises. Raises SourceError when it promises none."""
    try:
        return _BY_SUFFIX[path.suffix.lower()]
    except KeyError:
        raise SourceError(
            f"the name {path.name} does not tell the form of the file: say --from jsonl|csv|gnip|text"
        ) from None


@contextmanager
def opened(path: Path, form: Form, rule_type: RuleType) -> Iterator[Rows]:
    """Open the file, `-` for stdin, and yield its rows. Raises SourceError."""
    if path == STDIN:
        yield rows_of(sys.stdin.buffer, form, rule_type)
        return
    try:
        with path.open("rb") as stream:
            yield rows_of(stream, form, rule_type)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from None


def rows_of(stream: BinaryIO, form: Form, rule_type: RuleType) -> Rows:
    """Return the rows of an open file."""
    match form:
        case Form.JSONL:
            return read_json_lines(stream)
        case Form.CSV:
            return read_table(stream)
        case Form.GNIP:
            return read_gnip(stream, rule_type)
        case Form.TEXT:
            return read_plain(stream)
