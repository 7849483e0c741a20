"""Print reports for people at the command line."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from traptor.common.errors import TraptorError
from traptor.common.text import one_line

# When stdout is not a terminal, a table row stays on one line, however long it is.
_WIDTH_OF_FILES = 10_000


@contextmanager
def on_stdout() -> Iterator[None]:
    """Raise TraptorError for a stdout that cannot be written; that nobody reads it any more is no error."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE or error.filename is not None:
            raise
        raise TraptorError(f"stdout cannot be written: {error.strerror or error}") from None


def report_console() -> Console:
    """Return a console on stdout that shows text as it is: no markup, emoji codes or colours.

    Characters that the locale lacks are shown as escapes.
    """
    take_any_text()
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_FILES
    return console


def take_any_text() -> None:
    """Make stdout show characters that the locale lacks as escapes instead of raising an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def write_data_as_utf8() -> None:
    """Make stdout take data for programs in UTF-8, whatever the locale is."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="strict")


def say(console: Console, text: str) -> None:
    """Print one line; characters that would break it or control the terminal are shown as escapes."""
    console.print(one_line(text), soft_wrap=True)
