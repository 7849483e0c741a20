"""The room of an outbox's file: how far it may grow, and what it keeps so that messages can still leave it.

LMDB is copy-on-write: to take a message out it writes pages before it frees any. So the file owns some pages
beyond those in use, which no other file can take, and is not let grow into what the disk has left for others
(docs/decisions/0008-a-full-disk.md).
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import lmdb

# Taking out one portion writes some ten pages; they are free again two commits later.
RESERVE_PAGES = 64
_TREE_PAGES = 16  # a put's, beside those of its value
_GROW_BYTES = 1 << 20  # at once, where the disk has that much
_MOST_SPARED_BYTES = 16 << 20
_SPARED_SHARE = 16
_UNLIMITED_BYTES = 1 << 62
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def is_full(error: OSError) -> bool:
    """Whether an error says that the disk, or this user's share of it, is full."""
    return error.errno in _FULL


def spare_bytes(folder: Path) -> int:
    """Return what the disk has beyond what outboxes leave to others; at most 0 when they must not grow.

    They leave a sixteenth, at most 16 MiB: state.db, ledger, logs and other outboxes need it to recover.
    """
    try:
        disk = os.statvfs(folder)
    except OSError:  # the folder is gone: no question of room
        return _UNLIMITED_BYTES
    if not disk.f_blocks:
        return _UNLIMITED_BYTES  # the file system does not say
    spared = min(_MOST_SPARED_BYTES, disk.f_blocks * disk.f_frsize // _SPARED_SHARE)
    return disk.f_bavail * disk.f_frsize - spared


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
            raise OSError(errno.EFBIG, "its map is full of pages that are not free yet")
        spare = spare_bytes(self._file.parent)
        generous = min(size_bytes + _GROW_BYTES, self._map_bytes)
        for size in (generous, size_bytes):
            if size - self._owned_bytes <= spare and self._allocate(size):
                return
        raise OSError(errno.ENOSPC, f"outboxes may take {max(0, spare)} bytes more of it")

    def _allocate(self, size_bytes: int) -> bool:
        fd = os.open(self._file, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.posix_fallocate(fd, self._owned_bytes, size_bytes - self._owned_bytes)
        except OSError as error:
            if is_full(error):
                return False
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # of file systems that cannot promise
                raise
        finally:
            os.close(fd)
        self._owned_bytes = size_bytes
        return True
