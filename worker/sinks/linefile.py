"""Write a file of lines that overlapping generations append to, and in which no broken line stays.

Lines that come together are one write with O_APPEND. A full disk may accept only a beginning, which is then
cut off. Nothing else may write in between, hence the flock around each write; the kernel releases it when its
holder is killed. If a writer is killed before it could cut off its partial line, the next writer does it.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from traptor.common.errors import SinkError
from traptor.common.files.folders import make_last_private
from traptor.common.files.names import FileId, id_of, leads_elsewhere
from traptor.common.files.opening import LINK, link_refused, open_own
from traptor.common.logs.event import fields

log = logging.getLogger(__name__)

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT
_MODE = 0o644
_LOOK_INTERVAL_S = 1.0  # for a rename or removal of the file
_TAIL_BYTES = 65_536
# More than one read of the stream brings, and than is written before the outbox hears of it.
_LAST_BYTES = 4 << 20
_FOLDER_GONE = "its folder is gone: make it again, and writing goes on by itself"
# Another generation may be writing its line.
_TRIES = 20
_TRY_PAUSE_S = 0.0005


class LineFile:
    """Append lines to a named file; create it again when it was renamed or removed."""

    is_all_or_nothing = True

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._fd = -1
        self._opened: FileId | None = None
        self._is_regular = True
        self._end = -1  # end of the last whole line, as far as known
        self._next_look = 0.0

    def __str__(self) -> str:
        return str(self._path)

    def open(self) -> None:
        """Open the file; create its folder if the parent exists. Raises SinkError."""
        try:
            make_last_private(self._path.parent)
            self._open()
        except OSError as error:
            what = f"[traptor] output: {self._path} cannot be written"
            if error.strerror == LINK:
                raise SinkError(f"{what}: {LINK}, or name another one") from error
            raise SinkError(
                f"{what} ({error.strerror}): make the folder, give it to the user that runs Traptor, "
                "or name another one"
            ) from error

    def write(self, lines: bytes) -> bool:
        """Append whole lines, all or none; return False while another generation writes. Raises OSError."""
        self._follow_name()
        if not self._lock():
            return False
        try:
            self._append(lines)
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        return True

    def last_lines(self) -> Sequence[bytes]:
        """Return the whole lines among the last bytes of the file, whoever wrote them; none on an error."""
        try:
            start, data = _end_of(self._path)
        except OSError:
            return ()  # whoever writes says why
        lines = data.split(b"\n")
        return lines[1 if start else 0 : -1]

    def sync(self) -> None:
        """Flush the lines to disk, so that they survive a power cut."""
        if self._fd >= 0 and self._is_regular:
            try:
                os.fdatasync(self._fd)
            except OSError as error:
                log.warning("a file is not synced", extra=fields(file=self._path, error=error.strerror))

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _lock(self) -> bool:
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_TRY_PAUSE_S)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            return True
        return False

    def _append(self, lines: bytes) -> None:
        size = self._whole_size()
        written = os.write(self._fd, lines)
        if written < len(lines):
            os.ftruncate(self._fd, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._end = size + written

    def _whole_size(self) -> int:
        """Return the file's size after cutting off a broken line at its end."""
        if not self._is_regular:
            return 0
        size = os.fstat(self._fd).st_size
        if size not in (self._end, 0):  # another process wrote
            whole = _end_of_last_line(self._fd, size)
            if whole != size:
                os.ftruncate(self._fd, whole)
                log.warning("a broken line was cut off", extra=fields(file=self._path, bytes=size - whole))
            return whole
        return size

    def _follow_name(self) -> None:
        now = self._clock()
        if now < self._next_look and self._fd >= 0:
            return
        if leads_elsewhere(self._path, self._opened):
            self._open()
        self._next_look = now + _LOOK_INTERVAL_S

    def _open(self) -> None:
        try:
            mode = self._path.lstat().st_mode
        except FileNotFoundError:
            mode = stat.S_IFREG  # it will be created
        if stat.S_ISLNK(mode):
            raise link_refused(self._path)
        if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
            raise OSError(0, "it is not a file")
        try:
            fd = open_own(self._path, _FLAGS, _MODE)
        except FileNotFoundError as error:
            raise OSError(errno.ENOENT, _FOLDER_GONE) from error
        self.close()
        self._fd, self._opened = fd, id_of(fd)
        self._is_regular = stat.S_ISREG(os.fstat(fd).st_mode)
        self._end = -1


def _end_of_last_line(fd: int, size: int) -> int:
    """Return the position after the last line end; a file without any is one broken line."""
    if os.pread(fd, 1, size - 1) == b"\n":
        return size
    end = size
    while end > 0:
        start = max(0, end - _TAIL_BYTES)
        found = os.pread(fd, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _end_of(path: Path) -> tuple[int, bytes]:
    """Return the last bytes of a file, and where they start; none of what is no file. Raises OSError."""
    fd = open_own(path, os.O_RDONLY)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return 0, b""
        start = max(0, found.st_size - _LAST_BYTES)
        return start, os.pread(fd, _LAST_BYTES, start)
    finally:
        os.close(fd)
