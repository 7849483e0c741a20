"""Log handlers that never stop or slow their callers: one record, one write; failures are counted."""

from __future__ import annotations

import errno
import logging
import os
import time
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import IO

from traptor.common.files.names import FileId, id_of, leads_elsewhere
from traptor.common.files.opening import open_own, stream_behind
from traptor.common.logs.throttle import Losses, loss_record
from traptor.common.stdstream import StdStream

# Others get no read permission.
_MODE = 0o640
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT
_STREAM_FLAGS = _FLAGS | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


class LineHandler(logging.Handler):
    """Formats a record into one line and writes it; never raises.

    Lost records are reported in the log itself once writing works again, and through `tell` until then.
    """

    def __init__(
        self,
        where: str,
        formatter: logging.Formatter,
        tell: Callable[[logging.LogRecord], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._where = where
        self._tell = tell
        self._losses = Losses(clock)
        self._told_elsewhere = Losses(clock)
        self.fails = False  # the last record could not be written

    @property
    def lost(self) -> int:
        """The number of records that could not be written."""
        return self._losses.total

    @abstractmethod
    def write_line(self, line: bytes) -> None:
        """Write one line. Raises OSError when it was not written."""

    def reopen(self) -> None:
        """Reopen the file if the handler writes to a named one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or count it as lost."""
        try:
            self.write_line(self._line(record))
        except Exception as error:  # noqa: BLE001  # one that cannot even be formatted must not stop a stream
            self.fails = True
            self._lose(error)
        else:
            self.fails = False
            self._tell_of_losses()

    def _line(self, record: logging.LogRecord) -> bytes:
        return f"{self.format(record)}\n".encode(errors="backslashreplace")

    def _lose(self, error: Exception) -> None:
        self._losses.add()
        if self._tell is not None:
            self._told_elsewhere.add()
            if count := self._told_elsewhere.due():
                self._told_elsewhere.told(count)
                self._tell(loss_record(count, self._where, error))

    def _tell_of_losses(self) -> None:
        if count := self._losses.due():
            record = loss_record(count, self._where)
            self.filter(record)  # adds the identity of the log's owner, as for other records
            try:
                self.write_line(self._line(record))
            except OSError:
                return  # reported with the next one
            self._losses.told(count)


class LogFile(LineHandler):
    """Appends to a named file; reopens it when the file was renamed or removed.

    The descriptor's number stays the same, so that others (faulthandler) may keep it.
    """

    def __init__(
        self,
        path: Path,
        formatter: logging.Formatter,
        tell: Callable[[logging.LogRecord], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(str(path), formatter, tell, clock)
        self._path = path
        self._fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self._opened: FileId | None = None
        self._is_torn = False
        self.reopen()

    @property
    def stream(self) -> IO[str]:
        """The descriptor as a file object, for code that needs one; the caller must not close it."""
        return open(self._fd, "a", encoding="utf-8", closefd=False)

    def reopen(self) -> None:
        """Reopen the file; when that fails, the next record tries again."""
        self.acquire()
        try:
            self._open()
        except OSError:
            self._opened = None
        finally:
            self.release()

    def write_line(self, line: bytes) -> None:
        """Append one line in one write. Raises OSError when it was not written in full."""
        self._follow_name()
        if self._is_torn:  # a full disk took only the beginning of the last line
            line = b"\n" + line
        self._is_torn = os.write(self._fd, line) < len(line)
        if self._is_torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Close the file; not for handlers inherited by a fork, whose descriptor may be another's."""
        super().close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _follow_name(self) -> None:
        if leads_elsewhere(self._path, self._opened):
            self._open()

    def _open(self) -> None:
        if stream := stream_behind(self._path):
            fd = os.open(stream, _STREAM_FLAGS)
        else:
            fd = open_own(self._path, _FLAGS, _MODE)
        try:
            os.dup2(fd, self._fd, inheritable=False)
            self._opened = id_of(fd)
        finally:
            os.close(fd)
        self._is_torn = False


class LogStream(LineHandler):
    """Writes to a standard stream shared by several processes; a full pipe loses records but blocks nobody.

    A record longer than PIPE_BUF may be written in part: its rest precedes the next record.
    """

    def __init__(
        self, fd: int, formatter: logging.Formatter, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__("-", formatter, None, clock)
        self._stream = StdStream(fd)
        self._rest = b""

    def write_line(self, line: bytes) -> None:
        """Write one line. Raises BlockingIOError when there is no room for it or its beginning."""
        if self._rest:
            self._rest = self._rest[self._stream.write(self._rest) :]
        written = 0 if self._rest else self._stream.write(line)
        if not written:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self._rest = line[written:]

    def close(self) -> None:
        """Stop writing; the standard stream itself stays open."""
        super().close()
        self._stream.close()
