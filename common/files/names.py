"""Notice that the name of an open file leads to another file by now: it was renamed, removed or replaced."""

from __future__ import annotations

import os
from pathlib import Path

FileId = tuple[int, int]  # device and inode


def id_of(fd: int) -> FileId:
    """Return which file a descriptor is of."""
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def leads_elsewhere(path: Path, opened: FileId | None) -> bool:
    """Return whether `path` names another file than the one that was opened, or none. Raises OSError."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return True
    return (status.st_dev, status.st_ino) != opened
