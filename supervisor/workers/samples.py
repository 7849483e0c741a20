"""Pass on what workers send of the tweets that go through them, to whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from traptor.common.messages import Sample

_MOST_WAITING = 32  # pieces for a listener that reads too slowly; more are dropped


class Samples:
    """The listeners of each connection."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[asyncio.Queue[Sample]]] = {}

    @contextmanager
    def listen(self, connection: str) -> Iterator[asyncio.Queue[Sample]]:
        """Receive the samples of a connection; somebody must ask its workers for them."""
        queue: asyncio.Queue[Sample] = asyncio.Queue(_MOST_WAITING)
        listeners = self._listeners.setdefault(connection, [])
        listeners.append(queue)
        try:
            yield queue
        finally:
            listeners.remove(queue)
            if not listeners:
                self._listeners.pop(connection, None)

    def take(self, connection: str, sample: Sample) -> None:
        """Pass a sample on; a listener that has no room for it misses it."""
        for queue in self._listeners.get(connection, ()):
            if not queue.full():
                queue.put_nowait(sample)
