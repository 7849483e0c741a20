"""Tell how much of a disk may be used, and whether an error means that it is full."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from traptor.common.files.opening import open_own

_MOST_SPARED_BYTES = 16 << 20
_SPARED_SHARE = 16
_LEFT_TIMES = 4
_UNLIMITED_BYTES = 1 << 62
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def is_full(error: OSError) -> bool:
    """Tell whether an error means that the disk, or this user's quota on it, is full."""
    return error.errno in _FULL


def free_bytes(folder: Path) -> int:
    """Return the free bytes on the disk of a folder; a very large number when they are unknown."""
    try:
        disk = os.statvfs(folder)
    except OSError:  # the folder is gone, which is not a lack of room
        return _UNLIMITED_BYTES
    return disk.f_bavail * disk.f_frsize if disk.f_blocks else _UNLIMITED_BYTES


def spare_bytes(folder: Path) -> int:
    """Return how many more bytes large files may take on the disk; at most 0 when they must not grow.

    They leave a sixteenth of it, at most 16 MiB: state.db, ledger, logs and others need it to recover.
    """
    try:
        disk = os.statvfs(folder)
    except OSError:
        return _UNLIMITED_BYTES
    spared = min(_MOST_SPARED_BYTES, disk.f_blocks * disk.f_frsize // _SPARED_SHARE)
    return free_bytes(folder) - spared


def leaves_room(folder: Path, held_bytes: int) -> bool:
    """Tell whether something this large on the disk of a folder leaves several times as much to others."""
    return held_bytes <= spare_bytes(folder) // _LEFT_TIMES


def allocate(file: Path, from_byte: int, size_bytes: int) -> bool:
    """Reserve disk space for a file from one byte up to its new size; return whether there was room.

    Raises OSError for other failures. A file system that cannot reserve space is assumed to have room.
    """
    fd = open_own(file, os.O_RDWR | os.O_CREAT)
    try:
        os.posix_fallocate(fd, from_byte, size_bytes - from_byte)
    except OSError as error:
        if is_full(error):
            return False
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
    finally:
        os.close(fd)
    return True
