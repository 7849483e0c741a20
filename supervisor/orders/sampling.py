"""Pass on the tweets of a connection as they go through its worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

from traptor.common.messages import Sample
from traptor.supervisor.connections.context import Context
from traptor.supervisor.orders.named import connection_named

_ASK_S = 0.5


class Sampling:
    """Asks the workers for samples while somebody listens; a worker keeps nothing otherwise."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def check(self, name: str) -> None:
        """Raise UnknownNameError unless there is such a connection."""
        connection_named(self._context.connections, name)

    async def samples(self, name: str) -> AsyncGenerator[Sample | None, None]:
        """Yield what passes, whichever generation serves the connection; None when nothing came for long."""
        with self._context.samples.listen(name) as queue:
            while True:
                asked_at = time.monotonic()
                self._ask(name)
                while (left_s := asked_at + _ASK_S - time.monotonic()) > 0:
                    yield await _within(queue, left_s)

    def _ask(self, name: str) -> None:
        c = self._context.connections.get(name)
        if c is not None and c.serving is not None:
            self._context.fleet.take_sample(c.serving)


async def _within(queue: asyncio.Queue[Sample], within_s: float) -> Sample | None:
    try:
        async with asyncio.timeout(within_s):
            return await queue.get()
    except TimeoutError:
        return None
