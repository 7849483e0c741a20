"""Limit the time that a request takes in all."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Protocol


class HasDescriptor(Protocol):
    """Anything with the descriptor of a socket."""

    def fileno(self) -> int:
        """Return the descriptor."""


class TimeLimit:
    """Shuts connections down at a deadline.

    Timeouts of sockets apply to each read and each address, so that a server that sends a byte now and then
    is never late. At the end of this limit the connections are shut down, and whatever waits for them fails.
    """

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._deadline = time.monotonic() + within_s
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._is_over = False
        self._timer = threading.Timer(within_s, self._cut)
        self._timer.daemon = True

    @property
    def overdue(self) -> str:
        """The error text of a request that was ended here; empty: none was."""
        return f"no answer within {self._within_s:g} s" if self._is_over else ""

    def begin(self) -> None:
        """Start the time limit. Raises OSError when there is no thread for it."""
        try:
            self._timer.start()
        except RuntimeError as error:
            raise OSError(f"the connect cannot be watched: {error}") from error

    def end(self) -> None:
        """End the time limit: what it is for has come, or no connection was made."""
        self._timer.cancel()
        with self._lock:
            watched, self._watched = self._watched, []
        for sock in watched:
            sock.close()

    def share_s(self, addresses: int) -> float:
        """Return the time for each of `addresses`, so that the last one has its turn."""
        return max(0.001, (self._deadline - time.monotonic()) / max(1, addresses))

    def watch(self, wire: HasDescriptor) -> None:
        """Shut this connection down at the deadline. Raises TimeoutError after it."""
        with self._lock:
            if self._is_over:
                raise TimeoutError(self.overdue)
            # A descriptor of our own: TLS takes the socket over.
            self._watched.append(socket.socket(fileno=os.dup(wire.fileno())))

    def _cut(self) -> None:
        with self._lock:
            self._is_over = True
            for sock in self._watched:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
