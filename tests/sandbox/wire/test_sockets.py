"""How sockets end: what was written before a reset has arrived."""

from __future__ import annotations

import asyncio
import socket

from support.waiting import DEADLINE_S

from traptor.sandbox.wire.queue import Ending
from traptor.sandbox.wire.sockets import Sockets

MESSAGE = b"x" * 1000
BURST = 60  # more than the kernel sends without an acknowledgement
TRIES = 20


def test_a_reset_discards_nothing_that_was_written_before() -> None:
    """The kernel forgets what it has not sent yet when it resets a connection."""
    assert [asyncio.run(arrived()) for _ in range(TRIES)] == [BURST * len(MESSAGE)] * TRIES


async def arrived() -> int:
    """How many bytes a client gets of a burst that a reset follows."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Burst, "127.0.0.1", 0)
    async with server:
        return await asyncio.to_thread(read_to_reset, server.sockets[0].getsockname())


def read_to_reset(address: tuple[str, int]) -> int:
    with socket.create_connection(address, DEADLINE_S) as client:
        count = 0
        try:
            while data := client.recv(1 << 16):
                count += len(data)
        except ConnectionResetError:
            return count
    raise AssertionError("it was not reset")


class Burst(asyncio.Protocol):
    """Writes a burst as soon as a client is there, and resets the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        for _ in range(BURST):
            transport.write(MESSAGE)
        self.ending = asyncio.ensure_future(Sockets().finish("app", Ending.RESET, transport))
