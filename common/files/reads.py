"""Keep what one generation has read of what X bills, so that no kill makes it uncounted (v2).

The worker writes it (32 bytes, one write) before it keeps or delivers what it read; the master books it once
the generation is gone, or once a killed master's successor begins, and removes it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from traptor.common.files.folders import make_private
from traptor.common.files.outboxes import generation_folders

_FOLDER = "reads"
_FORM = struct.Struct("<QQQQ")
_MODE = 0o640


class ReadCounts(msgspec.Struct, frozen=True):
    """Totals of one generation, by the kinds of `Counters.reads`, with its foreign posts."""

    posts: int = 0
    included_posts: int = 0
    included_users: int = 0
    foreign: int = 0


class ReadsFile:
    """Writes the counts of one generation; its file begins with the first that is above zero.

    Later ones take the same bytes, so that a disk that fills up after the first stops none.
    """

    def __init__(self, state_dir: Path, connection: str, generation: int) -> None:
        self._path = _folder(state_dir, connection) / str(generation)
        self._fd = -1
        self._written = ReadCounts()

    def write(self, counts: ReadCounts) -> OSError | None:
        """Replace the counts, and return why it failed, if so.

        Then the older ones stay, and the worker's reports are left.
        """
        if counts == self._written:
            return None
        try:
            if self._fd < 0:
                make_private(self._path.parent)
                self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _MODE)
            os.pwrite(self._fd, _packed(counts), 0)
        except OSError as error:
            return error
        self._written = counts
        return None


def _packed(counts: ReadCounts) -> bytes:
    return _FORM.pack(counts.posts, counts.included_posts, counts.included_users, counts.foreign)


@dataclass(frozen=True, slots=True)
class Kept:
    """The content of a file, and when it was last written (Unix time)."""

    counts: ReadCounts
    at: float


def kept(state_dir: Path, connection: str, generation: int) -> Kept | None:
    """Return what a generation kept, or None."""
    return _read(_folder(state_dir, connection) / str(generation))


def connections(state_dir: Path) -> list[str]:
    """Return the connections whose generations kept something."""
    try:
        return sorted(entry.name for entry in os.scandir(state_dir / _FOLDER) if entry.is_dir())
    except OSError:
        return []


def all_kept(state_dir: Path, connection: str) -> Iterator[tuple[int, Kept]]:
    """Yield what the generations of a connection kept, the oldest first."""
    for path in generation_folders(_folder(state_dir, connection)):
        if (found := _read(path)) is not None:
            yield int(path.name), found


def remove_kept(state_dir: Path, connection: str, generation: int) -> None:
    """Remove what a generation kept, if it is there and that is possible."""
    try:
        (_folder(state_dir, connection) / str(generation)).unlink(missing_ok=True)
    except OSError:
        pass


def _folder(state_dir: Path, connection: str) -> Path:
    return state_dir / _FOLDER / connection


def _read(path: Path) -> Kept | None:
    try:
        content, at = path.read_bytes(), path.stat().st_mtime
    except OSError:
        return None
    return Kept(ReadCounts(*_FORM.unpack(content)), at) if len(content) == _FORM.size else None
