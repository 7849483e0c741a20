"""The LMDB file of an outbox: opened on demand, grown as far as the disk allows, and given back."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import lmdb

from traptor.common.files.disk import is_full, spare_bytes
from traptor.common.files.folders import make_private
from traptor.common.files.opening import open_own, refuse_link
from traptor.worker.outbox.room import FileRoom

DATA = "data.mdb"
PAGE_BYTES = 4096
MODE = 0o640
_EMPTY_BYTES = 2 * PAGE_BYTES  # a new LMDB file has two pages
# Pages are 4 KiB and a value begins a new one; deleted ones are free again two commits later.
_MAP_SLACK = 3
_MAP_LEAST_BYTES = 1 << 28
# A file is worth rewriting when it is this large, and this many times as large as its content.
_LARGE_BYTES = 16 << 20
_LARGE_ON_A_SHORT_DISK_BYTES = 1 << 20
_WASTED_TIMES = 8
_MOST_COPIED_BYTES = 4 << 20
_COPY = "copy"


class OutboxError(Exception):
    """The outbox cannot be read or written now; the message says why."""


class DiskFull(OutboxError):
    """There is no room on the outbox's disk."""


class OutboxFile:
    """The file in `folder`; the caller holds the folder's lock and uses the file from one thread at a time.

    `first` is the key and value of a new file's first entry.
    """

    def __init__(self, folder: Path, first: tuple[bytes, bytes], *, synced: bool, max_bytes: int) -> None:
        self.path = folder / DATA
        self._folder = folder
        self._first = first
        self._synced = synced
        self._map_bytes = max(_MAP_SLACK * max_bytes, _MAP_LEAST_BYTES)
        self._env: lmdb.Environment | None = None
        self._room: FileRoom | None = None

    def opened(self) -> lmdb.Environment:
        """Return the open file, creating it at first use. Raises lmdb.Error, OSError."""
        if self._env is None:
            refuse_link(self.path)
            size_bytes = self.path.stat().st_size if self.path.exists() else 0
            is_new = size_bytes < _EMPTY_BYTES
            if is_new:  # its creator was killed, or had no room: LMDB would call it broken
                self.path.unlink(missing_ok=True)
            try:
                self._env, self._room = self._open(max(self._map_bytes, size_bytes + _MAP_LEAST_BYTES))
            except (lmdb.Error, OSError):
                if is_new:
                    self.path.unlink(missing_ok=True)
                raise
        return self._env

    def need_room(self, value_bytes: int) -> None:
        """Reserve room for a value, and for removing it again. Raises OutboxError, and nothing is changed."""
        try:
            if self._env is None and spare_bytes(self._folder) < value_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.opened()
            assert self._room is not None
            self._room.need(value_bytes)
        except (OSError, lmdb.Error) as error:
            raise self.failure(error) from error

    def failure(self, error: lmdb.Error | OSError) -> OutboxError:
        """Return the error to raise in place of another one."""
        if isinstance(error, lmdb.PanicError):
            self.close()  # unusable now; opened again at the next try
        if isinstance(error, OSError):
            is_disk_full = is_full(error)
        else:  # LMDB reports a partial write as "Input/output error"
            no_room = isinstance(error, lmdb.DiskError | lmdb.MapFullError)
            is_disk_full = no_room or spare_bytes(self._folder) < 0
        said = error.strerror if isinstance(error, OSError) else error
        return (
            DiskFull(f"{self._folder}: its disk is full: {said}")
            if is_disk_full
            else OutboxError(f"{self._folder}: {said}")
        )

    def give_back(self, held_bytes: int) -> None:
        """Return unused space of the file to the disk if it is large: LMDB's files never shrink."""
        if self._room is None or not self._is_wasteful(self._room.owned_bytes, held_bytes):
            return
        if held_bytes:
            self._write_anew()
        else:
            self.remove()

    def remove(self) -> None:
        """Remove the file with its content; this needs no room on the disk."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; it is opened again on demand."""
        if self._env is not None:
            self._env.close()
        self._env = self._room = None

    # ---- steps

    def _open(self, map_bytes: int) -> tuple[lmdb.Environment, FileRoom]:
        env = lmdb.open(
            str(self._folder),
            map_size=map_bytes,
            mode=MODE,
            sync=self._synced,
            metasync=self._synced,
            writemap=False,
            lock=False,  # the flock excludes other processes, the caller its other threads
            readahead=False,
            max_dbs=0,
        )
        try:
            with env.begin(write=True) as transaction:
                transaction.put(*self._first, overwrite=False)
            room = FileRoom(env, self.path, map_bytes)
        except (lmdb.Error, OSError):
            env.close()
            raise
        room.keep_reserve()
        return env, room

    def _is_wasteful(self, file_bytes: int, held_bytes: int) -> bool:
        is_short = spare_bytes(self._folder) < file_bytes
        large = _LARGE_ON_A_SHORT_DISK_BYTES if is_short else _LARGE_BYTES
        return file_bytes >= large and held_bytes <= min(file_bytes // _WASTED_TIMES, _MOST_COPIED_BYTES)

    def _write_anew(self) -> None:
        """Replace the file by a copy without free pages; if that fails, it stays as it is."""
        copy = self._folder / _COPY
        try:
            shutil.rmtree(copy, ignore_errors=True)
            make_private(copy)
            self.opened().copy(str(copy), compact=True)
            if self._synced:
                _sync(copy / DATA)
            self.close()
            os.replace(copy / DATA, self.path)
        except (OSError, lmdb.Error):
            pass
        finally:
            shutil.rmtree(copy, ignore_errors=True)


def _sync(file: Path) -> None:
    fd = open_own(file, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
