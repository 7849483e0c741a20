"""The mark of a generation: since when it had its stream, and until when all that came over it is safe.

The worker writes it (24 bytes, one write) with every commit of its outbox and once a second; the master reads
it when the worker, or the master before it, died.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

MARK = "mark"
_FORM = struct.Struct("<ddd")
_NOTHING_CAME = bytes(_FORM.size)


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in Unix time, and by CLOCK_MONOTONIC, which counts only until the host is booted anew.

    `since` is when the stream began, by the same clock.
    """

    wall: float
    mono: float
    since: float

    @property
    def since_wall(self) -> float:
        """When the stream began, in Unix time."""
        return self.wall - (self.mono - self.since)


class MarkFile:
    """Writes the mark of one generation."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError when the file cannot be made in `folder`."""
        self._fd = os.open(folder / MARK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:  # its bytes are there when the disk is full later
            os.pwrite(self._fd, _NOTHING_CAME, 0)
        except OSError:
            pass

    def write(self, mark: Mark) -> None:
        """Replace the mark; one that cannot be written stays the older one, which is true as well."""
        try:
            os.pwrite(self._fd, _FORM.pack(mark.wall, mark.mono, mark.since), 0)
        except OSError:
            pass

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def read_mark(folder: Path) -> Mark | None:
    """The mark in a generation's folder; None when there is none."""
    try:
        content = (folder / MARK).read_bytes()
    except OSError:
        return None
    if len(content) != _FORM.size or content == _NOTHING_CAME:
        return None
    return Mark(*_FORM.unpack(content))
