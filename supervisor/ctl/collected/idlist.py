"""The list of ids that is uploaded: gathered in a file that vanishes with the process."""

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

MOST_BYTES = 128 << 20  # of one upload, about 6.5 million ids
_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class IdList:
    """One id a line in a file; `bad` counts the lines that had none."""

    file: IO[bytes]
    count: int
    bad: int


@contextmanager
def gathered(
    path: Path, kind: JobType, say: Callable[[str], None], most_bytes: int = MOST_BYTES
) -> Iterator[IdList]:
    """Gather the ids of a file, and say which lines have none. Raises TraptorError."""
    with tempfile.TemporaryFile() as file:
        yield _gathered(file, path, kind, say, most_bytes)


def _gathered(
    file: IO[bytes], path: Path, kind: JobType, say: Callable[[str], None], most_bytes: int
) -> IdList:
    count = bad = size_bytes = 0
    for found in ids_in(path, kind):
        if found.id:
            count += 1
            size_bytes += file.write(f"{found.id}\n".encode())
        elif found.problem:
            bad += 1
            if bad <= _MOST_SHOWN:
                say(f"{path}:{found.line}: {found.problem}")
        if size_bytes > most_bytes:
            raise TraptorError(
                f"{path}:{found.line}: X takes at most {most_bytes:,} bytes of ids in a job, which are"
                f" {count - 1:,} here: split the file"
            )
    if bad > _MOST_SHOWN:
        say(f"{path}: {counted(bad - _MOST_SHOWN, 'more line')} without an id")
    if not count:
        raise TraptorError(f"{path}: no ids: give a file with an id a line, or with JSON lines of tweets")
    return IdList(file, count, bad)
