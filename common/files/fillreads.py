"""Keep what one generation delivered and read for each gap, so that no kill makes it unknown (v2).

The worker writes it (40 bytes for each of the last fills, one write) before it keeps or delivers the posts.
What its answers lack is booked from here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from traptor.common.files.counts import CountsFile, CountsFolder

_KIND = "fillreads"
_FORM = struct.Struct("<QQQQQ")
# Older ones are over. With these the file fits into the 4 KiB that it takes from the beginning.
_MOST_FILLS = 100


class FillReads(msgspec.Struct, frozen=True):
    """Posts that were given to the output, and what X bills for a fill."""

    new: int = 0
    posts: int = 0
    included_posts: int = 0
    included_users: int = 0

    def __add__(self, other: FillReads) -> FillReads:
        return FillReads(*(mine + more for mine, more in zip(_counts(self), _counts(other), strict=True)))

    def beyond(self, other: FillReads) -> FillReads:
        """Return by how much it exceeds another, kind by kind."""
        pairs = zip(_counts(self), _counts(other), strict=True)
        return FillReads(*(max(0, mine - less) for mine, less in pairs))


class FillReadsFile:
    """Writes the counts of one generation by the ids of fills; its file begins with the first."""

    def __init__(self, state_dir: Path, connection: str, generation: int) -> None:
        self._file = CountsFile(CountsFolder(state_dir, _KIND).path(connection, generation))
        self._written: dict[int, FillReads] = {}

    def write(self, totals: Mapping[int, FillReads]) -> OSError | None:
        """Replace the counts, and return why it failed, if so; then the older ones stay."""
        last = dict(sorted(totals.items())[-_MOST_FILLS:])
        if last == self._written:
            return None
        error = self._file.write(b"".join(_FORM.pack(fill, *_counts(one)) for fill, one in last.items()))
        if error is None:
            self._written = last
        return error


@dataclass(frozen=True, slots=True)
class KeptFills:
    """What a generation kept, by the ids of fills, and when it last did (Unix time)."""

    connection: str
    generation: int
    totals: Mapping[int, FillReads] = field(default_factory=dict)
    at: float = 0.0


def kept_fills(state_dir: Path, connection: str, generation: int) -> KeptFills | None:
    """Return what a generation kept, or None."""
    content = CountsFolder(state_dir, _KIND).read(connection, generation)
    if content is None or len(content.data) % _FORM.size:
        return None
    totals = {fill: FillReads(*counts) for fill, *counts in _FORM.iter_unpack(content.data)}
    return KeptFills(connection, generation, totals, content.at)


def all_kept_fills(state_dir: Path) -> Iterator[tuple[str, int]]:
    """Yield the connections and generations that kept something."""
    folder = CountsFolder(state_dir, _KIND)
    for connection in folder.connections():
        for generation in folder.generations(connection):
            yield connection, generation


def remove_kept_fills(state_dir: Path, connection: str, generation: int) -> None:
    """Remove what a generation kept, if it is there and that is possible."""
    CountsFolder(state_dir, _KIND).remove(connection, generation)


def _counts(reads: FillReads) -> tuple[int, int, int, int]:
    return reads.new, reads.posts, reads.included_posts, reads.included_users
