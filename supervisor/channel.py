"""The master's end of the talk with one worker, on the event loop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from traptor.common.errors import ProtocolError
from traptor.common.messages import HEADER, FromMaster, FromWorker, frame, from_worker, payload_size

log = logging.getLogger(__name__)

# A worker's orders are a few hundred bytes each; one that leaves so many unread does not read at all.
MAX_UNSENT_BYTES = 64 * 1024


class Channel:
    """Hands each message of a worker to `on_message`, and a broken one to `on_fault`."""

    def __init__(
        self,
        sock: socket.socket,
        on_message: Callable[[FromWorker], None],
        on_fault: Callable[[ProtocolError], None],
    ) -> None:
        self._sock = sock
        self._on_message = on_message
        self._on_fault = on_fault
        self._writer: asyncio.StreamWriter | None = None
        self._unsent: list[FromMaster] = []
        self._task = asyncio.create_task(self._read(), name="channel")

    def send(self, message: FromMaster) -> None:
        """Send without waiting. Raises ProtocolError when the worker leaves too much unread."""
        if self._writer is None:
            self._unsent.append(message)
            return
        if self._writer.is_closing():
            return  # its end will be noticed by the pidfd
        self._writer.write(frame(message))
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            raise ProtocolError("the worker does not read its orders")

    async def read_to_end(self, timeout_s: float) -> None:
        """Wait until all that the dead worker had sent was handed on."""
        await asyncio.wait({self._task}, timeout=timeout_s)

    def close(self) -> None:
        """Let go of the socket."""
        self._task.cancel()
        if self._writer is not None:
            self._writer.close()
        else:
            self._sock.close()

    async def _read(self) -> None:
        reader, self._writer = await asyncio.open_connection(sock=self._sock)
        for message in self._unsent:
            self._writer.write(frame(message))
        self._unsent.clear()
        try:
            while True:
                size = payload_size(HEADER.unpack(await reader.readexactly(HEADER.size))[0])
                self._on_message(from_worker(await reader.readexactly(size)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the worker ended; its pidfd says so too
        except ProtocolError as error:
            self._on_fault(error)
        except Exception as error:  # whatever it said, it must not leave the master deaf to it
            log.exception("a worker's message could not be handled")
            self._on_fault(ProtocolError(f"its message could not be handled: {type(error).__name__}"))
