"""Files of counts, one for each generation of a connection, so that no kill makes them unknown.

A worker replaces the content of its file by one write; the master reads it once the generation is gone, or
once a killed master's successor begins, and removes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from traptor.common.files.folders import make_private
from traptor.common.files.opening import open_own
from traptor.common.files.outboxes import generation_folders


class Content(NamedTuple):
    """The content of a file, and when it was last written (Unix time)."""

    data: bytes
    at: float


class CountsFile:
    """Writes one file, which begins with the first write; its content never becomes shorter.

    Later writes take the same bytes, so that a disk that fills up after the first stops none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def write(self, data: bytes) -> OSError | None:
        """Replace the content, and return why it failed, if so: then the older one stays."""
        try:
            if self._fd < 0:
                make_private(self._path.parent)
                self._fd = open_own(self._path, os.O_WRONLY | os.O_CREAT)
            os.pwrite(self._fd, data, 0)
        except OSError as error:
            return error
        return None


class CountsFolder:
    """The files of one kind."""

    def __init__(self, state_dir: Path, kind: str) -> None:
        self._path = state_dir / kind

    def path(self, connection: str, generation: int) -> Path:
        """Return the path of a generation's file."""
        return self._path / connection / str(generation)

    def connections(self) -> list[str]:
        """Return the connections whose generations kept something."""
        try:
            return sorted(entry.name for entry in os.scandir(self._path) if entry.is_dir())
        except OSError:
            return []

    def generations(self, connection: str) -> Iterator[int]:
        """Yield the generations of a connection that kept something, the oldest first."""
        for path in generation_folders(self._path / connection):
            yield int(path.name)

    def read(self, connection: str, generation: int) -> Content | None:
        """Return what a generation kept, or None."""
        path = self.path(connection, generation)
        try:
            return Content(path.read_bytes(), path.stat().st_mtime)
        except OSError:
            return None

    def remove(self, connection: str, generation: int) -> None:
        """Remove what a generation kept, if it is there and that is possible."""
        try:
            self.path(connection, generation).unlink(missing_ok=True)
        except OSError:
            pass
