"""Open files of our own, and follow no link to another file.

A folder on the way to them may be a link, which is how an operator puts them on another disk. The file itself
may not: whoever can place a link there would have another file of this user written to, or truncated.

Every file that Traptor writes under a name of its own choice is opened here: logs, output, dead letters,
locks, marks, counts. SQLite and LMDB open theirs themselves: `refuse_link` looks beforehand. Paths that a
person gives to a command, and standard streams, are opened elsewhere.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

LINK: Final = "it is a link, and links to files are not followed: make its folder a link instead"

# A FIFO in the place of a file then blocks nobody, and a terminal does not become ours.
_FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_STREAMS: Final = frozenset(
    ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2")
)


def open_own(path: Path | str, flags: int, mode: int = 0o640) -> int:
    """Return a descriptor of a file that must not be a link. Raises OSError, with LINK for a link."""
    try:
        return os.open(path, flags | _FLAGS, mode)
    except OSError as error:
        if error.errno == errno.ELOOP and Path(path).is_symlink():
            raise link_refused(path) from None
        raise


def refuse_link(path: Path) -> None:
    """Raise OSError if the path is a link, for files that a library will open by their name."""
    if path.is_symlink():
        raise link_refused(path)


def link_refused(path: Path | str) -> OSError:
    """Return the error for a link in the place of a file."""
    return OSError(errno.ELOOP, LINK, str(path))


def stream_behind(path: Path) -> str | None:
    """Return the name of our own stdout or stderr if the path is a link to it, as images of containers have.

    That leads to no other file; it is to be opened by the name that this returns.
    """
    try:
        target = str(path.readlink())
    except OSError:
        return None
    return target if target in _STREAMS else None
