"""Keep what one generation has read of what X bills, so that no kill makes it uncounted (v2).

The worker writes it (32 bytes, one write) before it keeps or delivers what it read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from traptor.common.files.counts import Content, CountsFile, CountsFolder

_KIND = "reads"
_FORM = struct.Struct("<QQQQ")


class ReadCounts(msgspec.Struct, frozen=True):
    """Totals of one generation, by the kinds of `Counters.reads`, with its foreign posts."""

    posts: int = 0
    included_posts: int = 0
    included_users: int = 0
    foreign: int = 0


class ReadsFile:
    """Writes the counts of one generation; its file begins with the first that is above zero."""

    def __init__(self, state_dir: Path, connection: str, generation: int) -> None:
        self._file = CountsFile(CountsFolder(state_dir, _KIND).path(connection, generation))
        self._written = ReadCounts()

    def write(self, counts: ReadCounts) -> OSError | None:
        """Replace the counts, and return why it failed, if so.

        Then the older ones stay, and the worker's reports are left.
        """
        if counts == self._written:
            return None
        error = self._file.write(_packed(counts))
        if error is None:
            self._written = counts
        return error


def _packed(counts: ReadCounts) -> bytes:
    return _FORM.pack(counts.posts, counts.included_posts, counts.included_users, counts.foreign)


@dataclass(frozen=True, slots=True)
class Kept:
    """The content of a file, and when it was last written (Unix time)."""

    counts: ReadCounts
    at: float


def kept(state_dir: Path, connection: str, generation: int) -> Kept | None:
    """Return what a generation kept, or None."""
    return _kept(CountsFolder(state_dir, _KIND).read(connection, generation))


def connections(state_dir: Path) -> list[str]:
    """Return the connections whose generations kept something."""
    return CountsFolder(state_dir, _KIND).connections()


def all_kept(state_dir: Path, connection: str) -> Iterator[tuple[int, Kept]]:
    """Yield what the generations of a connection kept, the oldest first."""
    folder = CountsFolder(state_dir, _KIND)
    for generation in folder.generations(connection):
        if (found := _kept(folder.read(connection, generation))) is not None:
            yield generation, found


def remove_kept(state_dir: Path, connection: str, generation: int) -> None:
    """Remove what a generation kept, if it is there and that is possible."""
    CountsFolder(state_dir, _KIND).remove(connection, generation)


def _kept(content: Content | None) -> Kept | None:
    if content is None or len(content.data) != _FORM.size:
        return None
    return Kept(ReadCounts(*_FORM.unpack(content.data)), content.at)
