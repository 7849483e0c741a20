"""`state_dir/reserve`: disk space that is given up when the disk is full, so that state.db can be written."""

from __future__ import annotations

import logging
from pathlib import Path

from traptor.common.files.disk import allocate, free_bytes, spare_bytes
from traptor.common.logs.event import fields

log = logging.getLogger(__name__)

SIZE_BYTES = 1 << 20
# SQLite creates two files of 32 KiB when it opens two databases, and writes some pages.
_TO_OPEN_BYTES = 1 << 18


class Reserve:
    """The file; it is taken while the disk has room, and given up at most once until there is room again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_given_up = False

    def make_room(self) -> None:
        """Give the reserve up if the disk has no room to open the databases."""
        if free_bytes(self._path.parent) < _TO_OPEN_BYTES:
            self.give_up()

    def give_up(self) -> bool:
        """Release the reserve's space and return whether there was any."""
        try:
            size_bytes = self._path.stat().st_blocks * 512
            self._path.unlink()
        except OSError:
            return False
        if size_bytes:
            log.error(
                "the disk is full: its reserve is released", extra=fields(file=self._path, bytes=size_bytes)
            )
        self._is_given_up = True
        return size_bytes > 0

    def take(self) -> None:
        """Take the reserve (again) if the disk has enough space besides. Raises OSError if that fails."""
        if not self._path.exists() and spare_bytes(self._path.parent) >= SIZE_BYTES and self._allocate():
            if self._is_given_up:
                log.info("the disk has room again: its reserve is restored", extra=fields(file=self._path))
            self._is_given_up = False

    def take_rest(self) -> None:
        """Take what space there is, at the end: closed databases free room that the next start needs."""
        size_bytes = min(SIZE_BYTES, free_bytes(self._path.parent))
        try:
            if self._path.exists() or not size_bytes or not allocate(self._path, 0, size_bytes):
                return
        except OSError:
            return

    def _allocate(self) -> bool:
        if allocate(self._path, 0, SIZE_BYTES):
            return True
        self._path.unlink(missing_ok=True)
        return False
