"""Files for which there is no room, without a disk that is full."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Writes beyond `size` bytes are taken in part, or fail, as on a disk that fills up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def make_full_device(path: Path) -> None:
    """Make a file to which nothing fits, ever: a link to /dev/full would not be followed.

    The test is skipped where this user may make no device.
    """
    full = Path("/dev/full").stat()
    try:
        os.mknod(path, full.st_mode, full.st_rdev)
    except PermissionError:
        pytest.skip("only root can make a device")
