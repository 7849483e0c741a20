"""Stands where Redis should, and answers what a test says: any bytes to any command."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Mapping
from typing import BinaryIO, Self

NIL, NIL_LIST, NUMBER, NOTHING = b"$-1\r\n", b"*-1\r\n", b":7\r\n", b"*0\r\n"
TEXT, NOT_TEXT = b"+OK\r\n", b"$2\r\n\xff\xfe\r\n"
ODD = b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"
NESTED = b"*2\r\n*1\r\n*1\r\n:1\r\n*2\r\n$-1\r\n*1\r\n$-1\r\n"
NILS = b"*2\r\n$-1\r\n*-1\r\n"
NO_PROTOCOL = b"HTTP/1.1 400 Bad Request\r\n\r\n"
RUBBISH = (NIL, NIL_LIST, NUMBER, NOTHING, TEXT, NOT_TEXT, ODD, NESTED, NILS, NO_PROTOCOL)

_GOOD = {
    b"PING": b"+PONG\r\n",
    b"SCAN": b"*2\r\n$1\r\n0\r\n*0\r\n",
    b"HGETALL": NOTHING,
    b"EVAL": b":1\r\n",
    b"GET": NIL,
    b"PTTL": b":-2\r\n",
}


class FakeRedis:
    """A server with an empty database. `answers`: what else commands are answered; b"": it hangs up.

    These come a byte at a time where `drip_s` says so, with as many seconds between two bytes.
    """

    def __init__(self, answers: Mapping[bytes, bytes] | None = None, drip_s: float = 0.0) -> None:
        self.answers = dict(answers or {})
        self.connections = 0
        self.asked: list[bytes] = []
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                server.connections += 1
                queued: int | None = None  # commands of a transaction
                while command := _command(self.rfile):
                    server.asked.append(command[0])
                    name = command[0].upper()
                    answer = server._answer(command)
                    if name == b"EXEC" and name not in server.answers:
                        answer = b"*%d\r\n" % (queued or 0) + b":1\r\n" * (queued or 0)
                    queued = 0 if name == b"MULTI" else None if queued is None else queued + 1
                    if not answer:
                        return
                    drips = drip_s > 0 and name in server.answers
                    try:
                        for byte in (answer[at : at + 1] for at in range(len(answer) if drips else 0)):
                            self.wfile.write(byte)
                            time.sleep(drip_s)
                    except OSError:  # the client hung up
                        return
                    self.wfile.write(b"" if drips else answer)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # the client hung up

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, command: list[bytes]) -> bytes:
        name = command[0].upper()
        if name in self.answers:
            return self.answers[name]
        if name == b"SUBSCRIBE":
            return b"*3\r\n$9\r\nsubscribe\r\n$%d\r\n%b\r\n:1\r\n" % (len(command[1]), command[1])
        if name == b"MGET":
            return b"*%d\r\n" % (len(command) - 1) + NIL * (len(command) - 1)
        return _GOOD.get(name, b"+OK\r\n")


def _command(stream: BinaryIO) -> list[bytes]:
    try:
        head = stream.readline()
        if not head.startswith(b"*"):
            return []
        return [_bulk(stream) for _ in range(int(head[1:]))]
    except (TimeoutError, OSError, ValueError):
        return []


def _bulk(stream: BinaryIO) -> bytes:
    size = int(stream.readline()[1:])
    return stream.read(size + 2)[:size]
