"""The list of ids for one job: gathered in a file that vanishes with the process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from traptor.common.errors import TraptorError
from traptor.common.text import counted
from traptor.supervisor.ctl.collected.ids import ids_in
from traptor.supervisor.xapi.compliance import JobType

MOST_BYTES = 128 << 20  # of one job, about 6.5 million ids
MOST_SHOWN = 20  # lines that are left out; the others are counted


@dataclass(frozen=True, slots=True)
class IdList:
    """One id a line in a file; `bad` counts the lines that had none.

    `rest` is the line at which the ids begin that did not fit; None: these are all.
    """

    file: IO[bytes]
    count: int
    bad: int
    rest: int | None = None


@contextmanager
def gathered(
    path: Path, kind: JobType, say: Callable[[str], None], from_line: int = 1, most_bytes: int | None = None
) -> Iterator[IdList]:
    """Gather the ids of a file, and say which lines have none. Raises TraptorError."""
    with tempfile.TemporaryFile() as file:
        yield _gathered(file, path, kind, say, from_line, MOST_BYTES if most_bytes is None else most_bytes)


def _gathered(
    file: IO[bytes], path: Path, kind: JobType, say: Callable[[str], None], from_line: int, most_bytes: int
) -> IdList:
    count = bad = size_bytes = 0
    rest: int | None = None
    for found in ids_in(path, kind, from_line):
        if found.id:
            size_bytes += len(found.id) + 1
            if size_bytes > most_bytes:
                rest = found.line
                break
            file.write(f"{found.id}\n".encode())
            count += 1
        elif found.problem:
            bad += 1
            if bad <= MOST_SHOWN:
                say(f"{path}:{found.line}: {found.problem}")
    if bad > MOST_SHOWN:
        say(f"{path}: {counted(bad - MOST_SHOWN, 'more line')} without an id")
    if not count and from_line == 1:
        raise TraptorError(f"{path}: no ids: give a file with an id a line, or with JSON lines of tweets")
    return IdList(file, count, bad, rest)
