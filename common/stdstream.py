"""Write to a standard stream without ever blocking.

O_NONBLOCK belongs to the open file description, which stdout shares with a shell and with all workers:
setting it there would break others. Pipes and terminals are therefore reopened, and sockets get a flag with
each send.
"""

from __future__ import annotations

import os
import select
import socket
import stat
from collections.abc import Callable


class StdStream:
    """A standard stream (1 or 2) that accepts as much as it has room for."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._own_fd: int | None = None
        self._socket: socket.socket | None = None
        self._write = self._choose()

    def write(self, data: bytes) -> int:
        """Write as much of the beginning of `data` as there is room for and return that number of bytes.
        Raises OSError.
        """
        try:
            return self._write(data)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Release the descriptor; the standard stream itself stays open."""
        if self._socket is not None:
            self._socket.close()
        if self._own_fd is not None:
            os.close(self._own_fd)
        self._own_fd = self._socket = None

    def _choose(self) -> Callable[[bytes], int]:
        mode = os.fstat(self._fd).st_mode
        if stat.S_ISREG(mode):  # never blocks; a reopened description would have its own offset
            return self._write_file
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=os.dup(self._fd))
            return self._send
        try:
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            self._own_fd = os.open(f"/proc/self/fd/{self._fd}", flags)
        except OSError:  # a terminal of another user, or no /proc
            return self._write_polled
        return self._write_own

    def _write_file(self, data: bytes) -> int:
        return os.write(self._fd, data)

    def _write_own(self, data: bytes) -> int:
        assert self._own_fd is not None
        return os.write(self._own_fd, data)

    def _send(self, data: bytes) -> int:
        assert self._socket is not None
        return self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def _write_polled(self, data: bytes) -> int:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        # A pipe that polls as writable has room for PIPE_BUF bytes.
        return os.write(self._fd, data[: select.PIPE_BUF]) if poll.poll(0) else 0
