"""What commands print for people."""

from __future__ import annotations

import io
import sys

from rich.console import Console

from traptor.common.text import one_line

# Where nobody looks at a screen, a row of a table stays one line, however long it is.
_WIDTH_OF_FILES = 10_000


def report_console() -> Console:
    """Return a console on stdout that shows text as it is: without markup, emoji codes and colours in it.

    A character that the locale does not have is shown as an escape.
    """
    take_any_text()
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_FILES
    return console


def take_any_text() -> None:
    """Have stdout show as an escape what the locale does not have, instead of an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def say(console: Console, text: str) -> None:
    """Print one line; what would break it or steer the terminal is shown as escapes."""
    console.print(one_line(text), soft_wrap=True)
