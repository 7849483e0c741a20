"""A pipe for log records with the face of a queue: one process writes, another one reads.

A `multiprocessing.Queue` has semaphores, which only a child of the process that made them can have.
"""

from __future__ import annotations

import os
import pickle
import select
import struct
import threading
from collections import deque
from collections.abc import Iterator

_HEADER = struct.Struct(">I")
_READ_BYTES = 1 << 16  # what a pipe holds


class RecordPipe:
    """The writing end. It never blocks: what the pipe has no room for waits in memory."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._has_feeder = False

    def qsize(self) -> int:
        """Return the number of records that wait in memory; the reader gets what is in the pipe."""
        return len(self._waiting)

    def put_nowait(self, record: object) -> None:
        """Send a record, now or when there is room. Raises OSError when nobody reads any more."""
        payload = pickle.dumps(record)
        with self._lock:
            self._waiting.append(_HEADER.pack(len(payload)) + payload)
            self._write()
            if self._waiting and not self._has_feeder:
                threading.Thread(target=self._feed, name="log", daemon=True).start()
                self._has_feeder = True

    def _write(self) -> None:
        """Write what there is room for. The lock must be held."""
        while self._waiting:
            data = self._waiting[0]
            try:
                written = os.write(self._fd, data)
            except BlockingIOError:
                return
            except OSError:
                self._waiting.clear()
                raise
            if written < len(data):
                self._waiting[0] = data[written:]
            else:
                self._waiting.popleft()

    def _feed(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while True:
            poll.poll()
            with self._lock:
                try:
                    self._write()
                except OSError:
                    pass  # they are lost with their reader
                if not self._waiting:
                    self._has_feeder = False
                    return


class IncomingRecords:
    """The reading end: what came of records, until the other end is closed, perhaps in the middle of one."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.has_ended = False
        self._rest = bytearray()

    def read(self) -> Iterator[object]:
        """Wait until something comes, or the pipe has ended; yield the records that are whole with it."""
        try:
            came = os.read(self.fd, _READ_BYTES)
        except OSError:
            came = b""
        self.has_ended = not came
        self._rest += came
        at = 0
        while len(self._rest) - at >= _HEADER.size:
            (size,) = _HEADER.unpack_from(self._rest, at)
            begin = at + _HEADER.size
            if len(self._rest) < begin + size:
                break
            at = begin + size
            try:
                yield pickle.loads(self._rest[begin:at])  # noqa: S301  # from a process of our own
            except Exception:  # noqa: BLE001, S112  # one that cannot be unpickled is not worth the others
                continue
        del self._rest[:at]
