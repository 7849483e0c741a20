"""Sockets that do not end properly: reset, or held open for ever."""

from __future__ import annotations

import array
import asyncio
import fcntl
import socket
import struct
import termios

from traptor.sandbox.wire.queue import Ending

_FLUSH_S = 1.0
_FLUSH_STEP_S = 0.01


class Sockets:
    """Ends sockets as their streams require, and keeps those that must stay open."""

    def __init__(self) -> None:
        self._held: list[tuple[str, socket.socket]] = []

    async def finish(self, owner: str, ending: Ending | None, transport: asyncio.Transport) -> None:
        """End the socket of a stream whose ending is not clean."""
        await _flushed(transport)
        connected = transport.get_extra_info("socket")
        if connected is not None and ending is Ending.HALF_OPEN:
            # The kernel sends FIN only when the last descriptor is closed, and this one stays.
            self._held.append((owner, connected.dup()))
        elif connected is not None:
            linger_0_s = struct.pack("ii", 1, 0)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_0_s)
        transport.abort()

    def clear(self, owner: str | None) -> None:
        """Close the held sockets of one account or of all."""
        for name, held in self._held:
            if owner in (None, name):
                held.close()
        self._held = [one for one in self._held if owner not in (None, one[0])]


async def _flushed(transport: asyncio.Transport) -> None:
    """Wait a moment for a client that reads: a reset discards what has not arrived, and it is on record."""
    steps = int(_FLUSH_S / _FLUSH_STEP_S)
    for _ in range(steps):
        if transport.is_closing() or not (transport.get_write_buffer_size() or _queued_bytes(transport)):
            return
        await asyncio.sleep(_FLUSH_STEP_S)


def _queued_bytes(transport: asyncio.Transport) -> int:
    """Return how much the kernel has not sent, or the client's has not acknowledged."""
    connected = transport.get_extra_info("socket")
    if connected is None:
        return 0
    queued = array.array("i", [0])
    fcntl.ioctl(connected, termios.TIOCOUTQ, queued)
    return queued[0]
