"""The room of an outbox's file: how far it may grow, and what it reserves for removing messages.

LMDB is copy-on-write: to remove a message it writes pages before it frees any. So the file owns some pages
beyond those in use, which no other file can take, and may not grow into the space that the disk has left for
others (docs/decisions/0008-a-full-disk.md).
"""

from __future__ import annotations

import errno
from pathlib import Path

import lmdb

from traptor.common.files.disk import allocate, spare_bytes

# Removing one portion writes some ten pages; they are free again two commits later.
RESERVE_PAGES = 64
_TREE_PAGES = 16  # for a put, besides those of its value
_GROW_BYTES = 1 << 20  # at once, if the disk has that much


class FileRoom:
    """The room of one open LMDB file, of which this process is the only writer."""

    def __init__(self, env: lmdb.Environment, file: Path, map_bytes: int) -> None:
        self._env = env
        self._file = file
        self._map_bytes = map_bytes
        self._owned_bytes = file.stat().st_size

    @property
    def owned_bytes(self) -> int:
        """The space that the file takes on the disk."""
        return self._owned_bytes

    def need(self, value_bytes: int) -> None:
        """Reserve room for a value, and for removing it. Raises OSError (ENOSPC) and changes nothing."""
        page = self._env.stat()["psize"]
        needed = (value_bytes // page + 2 + _TREE_PAGES + RESERVE_PAGES) * page
        end = (self._env.info()["last_pgno"] + 1) * page
        if self._owned_bytes - end + self._free_inside() < needed:
            self._grow_to(end + needed)

    def keep_reserve(self) -> None:
        """Reserve the pages that removing messages may need, if the disk has that many."""
        try:
            self.need(0)
        except OSError:
            pass  # the messages still leave: the file is then removed as a whole

    def _free_inside(self) -> int:
        """Return the bytes of pages that hold nothing any more, by LMDB's own account."""
        state = self._env.stat()
        used = state["branch_pages"] + state["leaf_pages"] + state["overflow_pages"]
        unused = self._env.info()["last_pgno"] - 1 - used
        listed = unused // (state["psize"] // 16) + 4  # pages that list the unused ones, at most half empty
        return max(0, unused - listed) * int(state["psize"])

    def _grow_to(self, size_bytes: int) -> None:
        if size_bytes > self._map_bytes:
            raise OSError(
                errno.ENOMEM, "its map is full of pages that are not free yet"
            )  # not a question of the disk
        spare = spare_bytes(self._file.parent)
        generous = min(size_bytes + _GROW_BYTES, self._map_bytes)
        for size in (generous, size_bytes):
            if size - self._owned_bytes <= spare and allocate(self._file, self._owned_bytes, size):
                self._owned_bytes = size
                return
        raise OSError(errno.ENOSPC, f"outboxes may take {max(0, spare)} bytes more of it")
