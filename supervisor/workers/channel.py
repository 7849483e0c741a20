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
from traptor.supervisor.workers.switchboard import Switchboard

log = logging.getLogger(__name__)

# A worker's orders are a few hundred bytes each, and of large ones it gets a piece at a time; a worker with
# this much unread does not read at all.
MAX_UNSENT_BYTES = 2 * PIECE_BYTES
_READ_BYTES = 1 << 16


class Channel:
    """Passes each message of a worker to `on_message`, and a broken one to `on_fault`.

    The switchboard tells when there is one. After a fault, or once closed, it ignores everything.
    """

    def __init__(
        self,
        sock: socket.socket,
        switchboard: Switchboard,
        on_message: Callable[[FromWorker], None],
        on_fault: Callable[[ProtocolError], None],
        greeting: bytes = b"",
    ) -> None:
        """Send `greeting` first, at once if there is room for it: the worker begins with it.

        Raises OSError when this host has no room for the channel.
        """
        sock.setblocking(False)
        self._sock = sock
        self._switchboard = switchboard
        self._on_message = on_message
        self._on_fault = on_fault
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[FromMaster] = deque()
        self._leaving = bytearray(greeting)  # what the socket has no room for
        self._waits_for_room = False
        self._received = bytearray()
        self._is_deaf = False
        switchboard.plug(sock.fileno(), self.read)
        self._write()

    def send(self, message: FromMaster) -> None:
        """Send without waiting, in order. Raises ProtocolError when the worker leaves too much unread."""
        self._unsent.append(message)
        if self._write() > MAX_UNSENT_BYTES:
            raise ProtocolError("the worker does not read the master's messages")

    def read(self) -> bool:
        """Handle what has come, up to some amount, and tell whether there may be more."""
        return self._read() == _READ_BYTES

    def read_rest(self) -> None:
        """Handle all that a dead worker had sent."""
        while self._read():
            pass

    def close(self) -> None:
        """Close the socket."""
        self._turn_deaf()
        self._leaving.clear()
        self._mind_room()
        self._sock.close()

    # ---- reading

    def _read(self) -> int:
        """Handle what has come, and return the number of its bytes; 0: there is nothing more."""
        if self._is_deaf:
            return 0
        try:
            data = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if data:
            self._take(data)
        else:
            self._turn_deaf()  # the worker ended, and its pidfd tells so too
        return len(data)

    def _take(self, data: bytes) -> None:
        """Handle every complete message."""
        self._received += data
        try:
            while not self._is_deaf and (payload := self._next_payload()) is not None:
                self._on_message(from_worker(payload))
        except ProtocolError as error:
            self._fail(error)
        except Exception as error:  # whatever it said, the master must keep listening to it
            log.exception("a worker's message could not be handled")
            self._fail(ProtocolError(f"its message could not be handled: {type(error).__name__}"))

    def _next_payload(self) -> bytes | None:
        if len(self._received) < HEADER.size:
            return None
        end = HEADER.size + payload_size(HEADER.unpack_from(self._received)[0])
        if len(self._received) < end:
            return None
        payload = bytes(self._received[HEADER.size : end])
        del self._received[:end]
        return payload

    def _fail(self, error: ProtocolError) -> None:
        self._turn_deaf()
        self._on_fault(error)

    def _turn_deaf(self) -> None:
        if not self._is_deaf:
            self._is_deaf = True
            self._switchboard.unplug(self._sock.fileno())

    # ---- sending

    def _write(self) -> int:
        """Write what may be written now, and return the number of bytes that there was no room for."""
        self._flush()
        while self._unsent and not (self._leaving and isinstance(self._unsent[0], Rules)):
            self._leaving += frame(self._unsent.popleft())
            self._flush()
        self._mind_room()
        return len(self._leaving)

    def _flush(self) -> None:
        if not self._leaving:
            return
        try:
            del self._leaving[: self._sock.send(self._leaving)]
        except BlockingIOError:
            return
        except OSError:  # its pidfd tells of its end
            self._leaving.clear()
            self._unsent.clear()

    def _mind_room(self) -> None:
        """Have the rest written as soon as there is room for it."""
        if bool(self._leaving) == self._waits_for_room:
            return
        self._waits_for_room = not self._waits_for_room
        if self._waits_for_room:
            self._loop.add_writer(self._sock, self._write)
        else:
            self._loop.remove_writer(self._sock)
