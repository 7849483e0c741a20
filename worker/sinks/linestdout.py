"""Lines on stdout, whole, from all workers.

The workers share a record lock on stdout itself: it belongs to a process, works on pipes, sockets and
terminals alike, and the kernel releases it when its holder is killed. A worker killed inside a line has
written a part of it that cannot be taken back; a shared byte tells so, and the next writer ends that line.
"""

from __future__ import annotations

import fcntl
import mmap
from collections.abc import Sequence

from traptor.common.errors import SinkError
from traptor.common.stdstream import StdStream

_STDOUT = 1
# Created when the master imports this module, and so shared by all its workers: 1 while a line is being
# written.
_inside_a_line = mmap.mmap(-1, 1)


class LineStdout:
    """Writes lines to stdout under the lock of all workers."""

    is_all_or_nothing = False

    def __init__(self) -> None:
        self._stream: StdStream | None = None
        self._rest = b""  # of the line being written

    def __str__(self) -> str:
        return "stdout"

    def open(self) -> None:
        """Open stdout. Raises SinkError."""
        try:
            self._stream = StdStream(_STDOUT)
        except OSError as error:
            raise SinkError(
                f"[traptor] output = jsonl:-: stdout cannot be used ({error.strerror}): "
                "start Traptor with an open stdout, or set output to jsonl:DIR"
            ) from error

    def last_lines(self) -> Sequence[bytes]:
        """Return nothing: what was written is its reader's."""
        return ()

    def write(self, lines: bytes) -> bool:
        """Write (the rest of) lines; return False while the reader or another worker leaves no room.

        The lock is kept until the last line is whole. Raises OSError.
        """
        if not self._rest:
            if not _take_lock():
                return False
            self._rest = b"\n" + lines if _inside_a_line[0] else lines
        return self._write_rest()

    def sync(self) -> None:
        """Do nothing: the reader is responsible for the lines."""

    def close(self) -> None:
        """Release stdout; the next writer ends a line that is not whole."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self._rest:
            fcntl.lockf(_STDOUT, fcntl.LOCK_UN)

    def _write_rest(self) -> bool:
        assert self._stream is not None
        while self._rest:
            _inside_a_line[0] = 1
            written = self._stream.write(self._rest)
            if not written:
                return False
            self._rest = self._rest[written:]
        _inside_a_line[0] = 0
        fcntl.lockf(_STDOUT, fcntl.LOCK_UN)
        return True


def _take_lock() -> bool:
    try:
        fcntl.lockf(_STDOUT, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # either means that another process has the lock: fcntl(2)
        return False
    return True
