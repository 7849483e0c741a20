"""Answer requests that go on: the status every second, as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from aiohttp import web

from traptor.supervisor.control.doors import is_local
from traptor.supervisor.control.refusals import Refused

Json = dict[str, Any]

MOST_LIVE = 12
"""Answers that go on, for each way in: the others must find a place, too."""

_INTERVAL_S = 1.0
_SLOW_S = 30.0  # a client that takes nothing for so long is dropped


class Places:
    """Counts the answers that go on."""

    def __init__(self, most: int = MOST_LIVE) -> None:
        self._most = most
        self._taken: Counter[bool] = Counter()

    @contextmanager
    def one(self, request: web.Request) -> Iterator[None]:
        """Hold a place. Raises Refused when none is free."""
        local = is_local(request.transport)
        if self._taken[local] >= self._most:
            raise Refused(503, f"{self._most} answers go on already; end one of them")
        self._taken[local] += 1
        try:
            yield
        finally:
            self._taken[local] -= 1


async def send(response: web.StreamResponse, data: bytes) -> None:
    """Write a part of an answer that goes on. Raises ConnectionResetError for a client that takes nothing."""
    try:
        async with asyncio.timeout(_SLOW_S):
            await response.write(data)
    except TimeoutError:
        raise ConnectionResetError from None


class Events:
    """The endpoint of server-sent events; one status serves everybody who listens."""

    def __init__(self, status: Callable[[], Json], places: Places, interval_s: float = _INTERVAL_S) -> None:
        self._status = status
        self._places = places
        self._interval_s = interval_s
        self._frame = b""
        self._made_at = -interval_s

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        return [web.get("/api/events", self._get_events, allow_head=False)]

    async def _get_events(self, request: web.Request) -> web.StreamResponse:
        with self._places.one(request):
            headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
            response = web.StreamResponse(headers=headers)
            first = self._now()  # before the 200: it may fail
            await response.prepare(request)
            await send(response, first)
            async for frame in self._frames():
                await send(response, frame)
        return response

    async def _frames(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(self._interval_s)
            yield self._now()

    def _now(self) -> bytes:
        now = time.monotonic()
        if now - self._made_at >= self._interval_s / 2:
            self._frame = b"event: status\ndata: %b\n\n" % orjson.dumps(self._status())
            self._made_at = now
        return self._frame
