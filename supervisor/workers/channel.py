"""The master's end of the link to one worker, on the event loop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable

from traptor.common.errors import ProtocolError
from traptor.common.messages import HEADER, FromMaster, FromWorker, Rules, frame, from_worker, payload_size
from traptor.common.pieces import PIECE_BYTES

log = logging.getLogger(__name__)

# A worker's orders are a few hundred bytes each, and of large ones it gets a piece at a time; a worker with
# this much unread does not read at all.
MAX_UNSENT_BYTES = 2 * PIECE_BYTES


class Channel(asyncio.Protocol):
    """Passes each message of a worker to `on_message`, and a broken one to `on_fault`.

    After a fault, or once closed, it ignores everything. It is a protocol, not a stream: every worker reports
    once a second, and a task would have to be woken to read each report.
    """

    def __init__(
        self,
        sock: socket.socket,
        on_message: Callable[[FromWorker], None],
        on_fault: Callable[[ProtocolError], None],
        greeting: bytes = b"",
    ) -> None:
        """Send `greeting` first, at once if there is room for it: the worker begins with it."""
        self._unsent_greeting = _sent_at_once(sock, greeting)
        self._sock = sock
        self._on_message = on_message
        self._on_fault = on_fault
        self._transport: asyncio.Transport | None = None
        self._unsent: deque[FromMaster] = deque()
        self._received = bytearray()
        self._ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._opening = loop.create_task(loop.create_connection(lambda: self, sock=sock), name="channel")

    def send(self, message: FromMaster) -> None:
        """Send without waiting, in order. Raises ProtocolError when the worker leaves too much unread."""
        self._unsent.append(message)
        if self._transport is not None and self._write(self._transport) > MAX_UNSENT_BYTES:
            raise ProtocolError("the worker does not read the master's messages")

    async def read_to_end(self, timeout_s: float) -> None:
        """Wait until everything that the dead worker had sent is handled."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        except TimeoutError:
            return  # another process holds the worker's end open

    def close(self) -> None:
        """Close the socket."""
        self._ended.set()
        self._opening.cancel()
        if self._transport is not None:
            self._transport.close()
        else:
            self._sock.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what had to wait until now."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)
        transport.write(self._unsent_greeting)
        self._write(transport)

    def resume_writing(self) -> None:
        """Send the next piece of what is large: everything before it was read."""
        assert self._transport is not None
        self._write(self._transport)

    def data_received(self, data: bytes) -> None:
        """Handle every complete message."""
        self._received += data
        try:
            while not self._ended.is_set() and (payload := self._next_payload()) is not None:
                self._on_message(from_worker(payload))
        except ProtocolError as error:
            self._turn_deaf(error)
        except Exception as error:  # whatever it said, the master must keep listening to it
            log.exception("a worker's message could not be handled")
            self._turn_deaf(ProtocolError(f"its message could not be handled: {type(error).__name__}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Do nothing: the worker ended, and its pidfd tells so too."""
        self._ended.set()

    def _write(self, transport: asyncio.Transport) -> int:
        """Write what may be written now, and return the number of bytes that the worker has not read."""
        while self._unsent and not transport.is_closing():  # else the pidfd will tell of its end
            unread_bytes = transport.get_write_buffer_size()
            if unread_bytes and isinstance(self._unsent[0], Rules):
                return unread_bytes
            transport.write(frame(self._unsent.popleft()))
        return transport.get_write_buffer_size()

    def _next_payload(self) -> bytes | None:
        if len(self._received) < HEADER.size:
            return None
        end = HEADER.size + payload_size(HEADER.unpack_from(self._received)[0])
        if len(self._received) < end:
            return None
        payload = bytes(self._received[HEADER.size : end])
        del self._received[:end]
        return payload

    def _turn_deaf(self, error: ProtocolError) -> None:
        self._ended.set()
        assert self._transport is not None
        self._transport.pause_reading()
        self._on_fault(error)


def _sent_at_once(sock: socket.socket, data: bytes) -> bytes:
    """Send what there is room for and return the rest; what a dead worker does not get is not missed."""
    try:
        return data[sock.send(data, socket.MSG_DONTWAIT) :] if data else data
    except OSError:
        return b""
