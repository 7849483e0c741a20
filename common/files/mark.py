"""Keep the mark of a generation: when its stream began, and the time up to which all received data is safe.

The worker writes it (24 bytes, one write) with every commit of its outbox and once a second; the master reads
it after the worker, or an earlier master, died.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from traptor.common.files.opening import open_own

MARK = "mark"
_FORM = struct.Struct("<ddd")
_NOTHING_CAME = bytes(_FORM.size)


@dataclass(frozen=True, slots=True)
class Mark:
    """Hold the time up to which all received data is safe, and the time at which the stream began (`since`).

    Both are times of CLOCK_MONOTONIC, valid only until the host reboots; `safe_until_wall` is Unix time.
    """

    safe_until_wall: float
    safe_until: float
    since: float

    @property
    def since_wall(self) -> float:
        """Return the start of the stream in Unix time."""
        return self.safe_until_wall - (self.safe_until - self.since)


class MarkFile:
    """Write the mark of one generation."""

    def __init__(self, folder: Path) -> None:
        """Create the file in `folder`. Raises OSError."""
        self._fd = open_own(folder / MARK, os.O_WRONLY | os.O_CREAT, 0o644)
        try:  # reserves its bytes in case the disk is full later
            os.pwrite(self._fd, _NOTHING_CAME, 0)
        except OSError:
            pass

    def write(self, mark: Mark) -> None:
        """Replace the mark; when that fails, the older mark stays, which is still true."""
        try:
            os.pwrite(self._fd, _FORM.pack(mark.safe_until_wall, mark.safe_until, mark.since), 0)
        except OSError:
            pass

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def read_mark(folder: Path) -> Mark | None:
    """Return the mark in a generation's folder, or None."""
    try:
        content = (folder / MARK).read_bytes()
    except OSError:
        return None
    if len(content) != _FORM.size or content == _NOTHING_CAME:
        return None
    return Mark(*_FORM.unpack(content))
