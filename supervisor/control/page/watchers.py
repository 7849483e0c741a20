"""Serve the page, and send the parts that change to everybody who has it open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from traptor.common.errors import TraptorError
from traptor.supervisor.control.live import Places, send
from traptor.supervisor.control.page.drawing import DAY_S, Strip, strips
from traptor.supervisor.control.page.rendering import page, parts, policy
from traptor.supervisor.control.page.seen import Seen, seen

Json = dict[str, Any]

_INTERVAL_S = 1.0
_STRIPS_INTERVAL_S = 30.0
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Page:
    """The page at `/`, and its changes at `/api/page`; nothing is made while nobody looks.

    `status` returns the content of status.json as of now, `history` the rates of a connection's last hour,
    and `intervals` awaits the ledger's intervals since a Unix time.
    """

    def __init__(
        self,
        status: Callable[[], Json],
        history: Callable[[str], Sequence[float]],
        intervals: Callable[[float], Awaitable[list[Json]]],
        places: Places,
        interval_s: float = _INTERVAL_S,
    ) -> None:
        self._status = status
        self._history = history
        self._intervals = intervals
        self._places = places
        self._interval_s = interval_s
        self._strips: Mapping[str, Strip] = {}
        self._strips_at = -_STRIPS_INTERVAL_S
        self._parts: dict[str, str] = {}
        self._parts_at = -interval_s

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        return [web.get("/", self._get_page), web.get("/api/page", self._get_changes)]

    async def _get_page(self, _request: web.Request) -> web.StreamResponse:
        headers = {**_HEADERS, "Content-Security-Policy": policy()}
        return web.Response(text=page(await self._seen()), content_type="text/html", headers=headers)

    async def _get_changes(self, request: web.Request) -> web.StreamResponse:
        with self._places.one(request):
            headers = {**_HEADERS, "Content-Type": "text/event-stream"}
            response = web.StreamResponse(headers=headers)
            now = await self._now()  # before the 200: it may fail
            await response.prepare(request)
            await send(response, _frame(now))
            async for changes in self._changes(now):
                await send(response, _frame(changes))
        return response

    async def _changes(self, before: Mapping[str, str]) -> AsyncIterator[Mapping[str, str]]:
        while True:
            await asyncio.sleep(self._interval_s)
            now = await self._now()
            yield {name: html for name, html in now.items() if html != before[name]}
            before = now

    async def _now(self) -> dict[str, str]:
        """Return the parts; one rendering serves everybody who looks."""
        if time.monotonic() - self._parts_at >= self._interval_s / 2:
            self._parts_at = time.monotonic()
            self._parts = parts(await self._seen())
        return self._parts

    async def _seen(self) -> Seen:
        if time.monotonic() - self._strips_at >= _STRIPS_INTERVAL_S:
            self._strips_at = time.monotonic()
            try:
                self._strips = strips(await self._intervals(time.time() - DAY_S), time.time())
            except TraptorError:
                pass  # the ledger's trouble is told elsewhere, and what it said before still holds
        return seen(self._status(), self._history, self._strips)


def _frame(changes: Mapping[str, str]) -> bytes:
    return b"event: page\ndata: %b\n\n" % orjson.dumps(changes)
