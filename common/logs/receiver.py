"""Receive the log records of all workers in one thread."""

from __future__ import annotations

import errno
import os
import select
import threading
from collections.abc import Callable

from traptor.common.logs.pipe import IncomingRecords


class RecordReceiver:
    """Reads the pipes of several processes, in a thread that is there as long as any of them is open."""

    def __init__(self, take: Callable[[object], object]) -> None:
        """Give records to `take`, which must not raise; those of one pipe come in their order."""
        self._take = take
        self._lock = threading.Lock()
        self._open: dict[int, IncomingRecords] = {}
        self._epoll: select.epoll | None = None  # while the thread is there

    def receive(self, fd: int) -> IncomingRecords:
        """Read from a pipe until its other end is closed; then close it, which `is_open` tells.

        Raises OSError when this host has no room for it.
        """
        incoming = IncomingRecords(fd)
        with self._lock:
            if self._epoll is not None:
                self._epoll.register(fd, select.EPOLLIN)
                self._open[fd] = incoming
            else:
                self._start(incoming)
        return incoming

    def is_open(self, incoming: IncomingRecords) -> bool:
        """Tell whether more records may come."""
        return self._open.get(incoming.fd) is incoming

    def _start(self, first: IncomingRecords) -> None:
        epoll = select.epoll()
        try:
            epoll.register(first.fd, select.EPOLLIN)
            self._open[first.fd] = first
            threading.Thread(target=self._run, args=(epoll,), name="worker logs", daemon=True).start()
        except (OSError, RuntimeError) as error:  # RuntimeError: "can't start new thread"
            self._open.clear()
            epoll.close()
            if isinstance(error, OSError):
                raise
            raise OSError(errno.EAGAIN, str(error)) from error
        self._epoll = epoll

    def _run(self, epoll: select.epoll) -> None:
        while True:
            for fd, _ in epoll.poll():
                incoming = self._open[fd]
                for record in incoming.read():
                    self._take(record)
                if incoming.has_ended and not self._close(incoming, epoll):
                    return

    def _close(self, ended: IncomingRecords, epoll: select.epoll) -> bool:
        """Close a pipe that has ended, and `epoll` after the last one; return whether any is left."""
        with self._lock:
            epoll.unregister(ended.fd)
            os.close(ended.fd)
            del self._open[ended.fd]
            if self._open:
                return True
            self._epoll = None
            epoll.close()
            return False
