"""The locks that separate two supervisors, and a new one from the remains of its predecessor."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from contextlib import suppress
from pathlib import Path

from traptor.common.errors import AlreadyRunning, TraptorError
from traptor.common.files.opening import open_own

_FLOCK = "hhqqi"  # struct flock of fcntl(2): type, whence, start, length, pid


class RecordLock:
    """A POSIX record lock: ends with its process and is not inherited by workers.

    The process must not open the file a second time: closing that descriptor would free the lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def take(self) -> None:
        """Lock. Raises AlreadyRunning when another process holds it, TraptorError if it cannot be opened."""
        fd = open_lock_file(self._path)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(fd, 32, 0).decode(errors="replace").strip()
            os.close(fd)
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            raise AlreadyRunning(
                f"{self._path} is held by another supervisor (pid {owner or 'unknown'}): "
                "stop it first, or give this one its own run_dir and state_dir"
            ) from None
        self._fd = fd
        with suppress(OSError):  # on a full disk the holder's pid is not recorded
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
            os.ftruncate(fd, len(f"{os.getpid()}\n"))

    def release(self) -> None:
        """Unlock."""
        os.close(self._fd)


def lock_holder(path: Path) -> int | None:
    """Return the pid that holds the record lock on a file, without touching it; None when none does."""
    try:
        fd = open_own(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        # Asked with F_GETLK: taking the lock even for a moment would turn a starting supervisor away.
        asked = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked))
        return None if kind == fcntl.F_UNLCK else pid
    finally:
        os.close(fd)


class WorkersLock:
    """A flock whose descriptor every worker keeps: it is free when no worker of any master is alive."""

    def __init__(self, path: Path) -> None:
        self.fd = open_lock_file(path)

    def try_take(self) -> bool:
        """Take the lock unless a worker of a predecessor is alive, and return whether it is held."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Close our descriptor; living workers keep the lock."""
        os.close(self.fd)


def open_lock_file(path: Path) -> int:
    """Return a descriptor of the file. Raises TraptorError when it cannot be created."""
    try:
        return open_own(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise TraptorError(f"{path}: {error.strerror}: the supervisor must be able to write there") from None
