"""A server that accepts every stream and sends no tweet: a real one takes none of this host's CPU.

The sandbox checks signatures and reads filters, which takes it some milliseconds for a connect: on two cores
as long as two forks. `python -m benchmarks.stillserver` prints its URL, and ends with its stdin.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_KEEP_ALIVE_S = 30.0
_OPENING = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
_KEEP_ALIVE = b"2\r\n\r\n\r\n"


@contextmanager
def still_server() -> Iterator[str]:
    """Run one in a process of its own, and yield its URL."""
    command = [sys.executable, "-m", "benchmarks.stillserver"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


class _Stream(asyncio.Protocol):
    """Answers the request, whatever it asks for, and keeps the stream alive."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._request = b""

    def data_received(self, data: bytes) -> None:
        """Open the stream once the header of the request is there."""
        self._request += data
        if b"\r\n\r\n" in self._request:
            self._request = b""
            self._transport.write(_OPENING)
            self._keep_alive()

    def _keep_alive(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_KEEP_ALIVE)
            asyncio.get_running_loop().call_later(_KEEP_ALIVE_S, self._keep_alive)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Stream, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
