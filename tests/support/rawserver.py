"""A server that answers HTTP requests with any bytes at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

Answer = Callable[[bytes], Iterable[bytes]]


class RawServer:
    """Answers the request of each connection with the pieces that `answer` makes of it, then closes it."""

    def __init__(self, answer: Answer = lambda _request: ()) -> None:
        self.answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
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
            for piece in self.answer(connection.recv(65_536)):
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(5)
            while connection.recv(65_536):  # else the close would throw away what was sent
                pass
