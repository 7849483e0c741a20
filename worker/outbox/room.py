"""The room of an outbox's file: how far it may grow, and what it keeps so that messages can still leave it.

LMDB is copy-on-write: to take a message out it writes pages before it frees any. So the file owns some pages
beyond those in use, which no other file can take, and is not let grow into what the disk has left for others
(docs/decisions/0008-a-full-disk.md).
"""

from __future__ import annotations

import errno
from pathlib import Path

import lmdb

from traptor.common.files.disk import allocate, spare_bytes

# Taking out one portion writes some ten pages; they are free again two commits later.
RESERVE_PAGES = 64
_TREE_PAGES = 16  # a put's, beside those of its value
_GROW_BYTES = 1 << 20  # at once, where the disk has that much


class FileRoom:
    """The room of one LMDB file, which is open and of which one process alone is the writer."""

    def __init__(self, env: lmdb.Environment, file: Path, map_bytes: int) -> None:
        self._env = env
        self._file = file
        self._map_bytes = map_bytes
        self._owned_bytes = file.stat().st_size

    @property
    def owned_bytes(self) -> int:
        """What the file takes on the disk."""
        return self._owned_bytes

    def need(self, value_bytes: int) -> None:
        """Have room for a value, and for taking it out again. Raises OSError (ENOSPC) and changes nothing."""
        page = self._env.stat()["psize"]
        needed = (value_bytes // page + 2 + _TREE_PAGES + RESERVE_PAGES) * page
        end = (self._env.info()["last_pgno"] + 1) * page
        if self._owned_bytes - end + self._free_inside() < needed:
            self._grow_to(end + needed)

    def keep_reserve(self) -> None:
        """Own what taking messages out may need, if the disk has that much."""
        try:
            self.need(0)
        except OSError:
            pass  # what is in the file goes out all the same, and then the file is removed as a whole

    def _free_inside(self) -> int:
        """Bytes of pages that hold nothing any more, by LMDB's own account."""
        state = self._env.stat()
        used = state["branch_pages"] + state["leaf_pages"] + state["overflow_pages"]
        unused = self._env.info()["last_pgno"] - 1 - used
        listed = unused // (state["psize"] // 16) + 4  # pages that list the unused ones, at most half empty
        return max(0, unused - listed) * int(state["psize"])

    def _grow_to(self, size_bytes: int) -> None:
        if size_bytes > self._map_bytes:
            raise OSError(
                errno.ENOMEM, "its map is full of pages that are not free yet"
            )  # no matter of the disk
        spare = spare_bytes(self._file.parent)
        generous = min(size_bytes + _GROW_BYTES, self._map_bytes)
        for size in (generous, size_bytes):
            if size - self._owned_bytes <= spare and allocate(self._file, self._owned_bytes, size):
                self._owned_bytes = size
                return
        raise OSError(errno.ENOSPC, f"outboxes may take {max(0, spare)} bytes more of it")
