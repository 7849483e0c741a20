"""A server that answers HTTP requests with any bytes at all."""

from __future__ import annotations

import array
import fcntl
import socket
import ssl
import termios
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from support.waiting import DEADLINE_S

Answer = Callable[[bytes], Iterable[bytes]]


class RawServer:
    """Answers the request of each connection with the pieces that `answer` makes of it, then closes it."""

    def __init__(self, answer: Answer = lambda _request: (), tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the client has heard enough
            wire = _Plain(connection) if self._tls is None else _Tls(connection, self._tls)
            for piece in self.answer(wire.receive()):
                wire.send(piece)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(DEADLINE_S)
            while connection.recv(65_536):  # else the close would throw away what was sent
                pass


class Torn(bytes):
    """A piece of which only the first half is sent; the rest goes before the next piece."""


class _Plain:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._kept = b""

    def receive(self) -> bytes:
        return self._connection.recv(65_536)

    def send(self, piece: bytes) -> None:
        sealed = self._kept + self._seal(piece)
        cut = len(sealed) // 2 if isinstance(piece, Torn) else len(sealed)
        self._connection.sendall(sealed[:cut])
        self._kept = sealed[cut:]
        self._wait_until_it_came()

    def _wait_until_it_came(self) -> None:
        """On a busy host a packet of the loopback, too, is on its way for some milliseconds."""
        unacknowledged = array.array("i", [1])
        deadline = time.monotonic() + DEADLINE_S
        while unacknowledged[0] and time.monotonic() < deadline:
            fcntl.ioctl(self._connection, termios.TIOCOUTQ, unacknowledged)
            time.sleep(0.001)

    def _seal(self, piece: bytes) -> bytes:
        return piece


class _Tls(_Plain):
    """Seals a piece as one record; what of it is sent is decided outside of TLS."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        super().__init__(connection)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._wait(self._tls.do_handshake)
        connection.sendall(self._outgoing.read())

    def receive(self) -> bytes:
        request: bytes = self._wait(self._tls.read)
        return request

    def _wait(self, step: Callable[[], Any]) -> Any:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._connection.sendall(self._outgoing.read())
                came = self._connection.recv(65_536)
                if not came:
                    raise ConnectionError("the client is gone") from None
                self._incoming.write(came)

    def _seal(self, piece: bytes) -> bytes:
        self._tls.write(piece)
        return self._outgoing.read()
