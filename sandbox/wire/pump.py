"""Write one stream from its queue to its end."""

from __future__ import annotations

from aiohttp import web

from traptor.sandbox.clock import Clock
from traptor.sandbox.wire.encoding import Wire
from traptor.sandbox.wire.queue import Ending, Message, StreamQueue
from traptor.sandbox.wire.sockets import Sockets

_KEEP_ALIVE = b"\r\n"


class Pump:
    """Writes streams; a keep-alive follows each silence of `keep_alive_s`."""

    def __init__(self, keep_alive_s: float, sockets: Sockets, clock: Clock) -> None:
        self._keep_alive_s = keep_alive_s
        self._sockets = sockets
        self._clock = clock

    async def run(
        self, owner: str, stream: StreamQueue, request: web.Request, response: web.StreamResponse, wire: Wire
    ) -> None:
        """Write until the stream's end, and end its socket accordingly.

        Raises ConnectionError when the client has gone.
        """
        while (batch := await stream.next_batch(self._keep_alive_s)) is not None:
            if not batch and not stream.is_stalled(self._clock().mono):
                await response.write(wire.raw(_KEEP_ALIVE))
                stream.kept_alive()
            for messages in [batch] if wire.is_odd and batch else [[message] for message in batch]:
                await self._write(messages, stream, response, wire)
        if stream.ending is Ending.CLEAN:
            if trailer := wire.finish():
                await response.write(trailer)
            return
        if stream.tail:
            await response.write(wire.raw(stream.tail))
        if request.transport is not None:
            await self._sockets.finish(owner, stream.ending, request.transport)

    async def _write(
        self, messages: list[Message], stream: StreamQueue, response: web.StreamResponse, wire: Wire
    ) -> None:
        for chunk in wire.chunks([message.data for message in messages]):
            await response.write(chunk)
        stream.wrote(messages, self._clock().mono)
