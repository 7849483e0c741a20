"""Keep the mark of a generation: since when it had its stream, and until when all that came over it is safe.

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
    """Hold the time up to which all that came is safe, and when the stream began (`since`).

    By CLOCK_MONOTONIC, which counts only until the host is booted anew; `safe_until_wall` in Unix time.
    """

    safe_until_wall: float
    safe_until: float
    since: float

    @property
    def since_wall(self) -> float:
        """Return when the stream began, in Unix time."""
        return self.safe_until_wall - (self.safe_until - self.since)


class MarkFile:
    """Write the mark of one generation."""

    def __init__(self, folder: Path) -> None:
        """Make the file. Raises OSError when the file cannot be made in `folder`."""
        self._fd = os.open(folder / MARK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:  # its bytes are there when the disk is full later
            os.pwrite(self._fd, _NOTHING_CAME, 0)
        except OSError:
            pass

    def write(self, mark: Mark) -> None:
        """Replace the mark; one that cannot be written stays the older one, which is true as well."""
        try:
            os.pwrite(self._fd, _FORM.pack(mark.safe_until_wall, mark.safe_until, mark.since), 0)
        except OSError:
            pass

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def read_mark(folder: Path) -> Mark | None:
    """Return the mark in a generation's folder; None when it has none."""
    try:
        content = (folder / MARK).read_bytes()
    except OSError:
        return None
    if len(content) != _FORM.size or content == _NOTHING_CAME:
        return None
    return Mark(*_FORM.unpack(content))
