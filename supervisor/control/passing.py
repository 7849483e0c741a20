"""Answer with the tweets of a connection as they pass."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import web

from traptor.common.config.kinds.quantities import read_duration
from traptor.supervisor.control.live import Places, send
from traptor.supervisor.control.refusals import Refused
from traptor.supervisor.orders.sampling import Sampling

_MESSAGES = 20
_MOST_MESSAGES = 1000
_FOR_S = 30.0
_MOST_S = 600.0


class Passing:
    """The endpoints that show tweets: a few of them, or all until the client leaves. JSON lines."""

    def __init__(self, sampling: Sampling, places: Places) -> None:
        self._sampling = sampling
        self._places = places

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        return [
            web.get("/api/connections/{name}/sample", self._get_sample, allow_head=False),
            web.get("/api/connections/{name}/tail", self._get_tail, allow_head=False),
        ]

    async def _get_sample(self, request: web.Request) -> web.StreamResponse:
        unknown = set(request.query) - {"messages", "within"}
        if unknown:
            raise Refused(400, "the parameters are messages and within")
        most = _count(request.query.get("messages", str(_MESSAGES)))
        for_s = _seconds(request.query.get("within", f"{_FOR_S:g}s"))
        return await self._pass_on(request, most, time.monotonic() + for_s)

    async def _get_tail(self, request: web.Request) -> web.StreamResponse:
        return await self._pass_on(request, None, None)

    async def _pass_on(
        self, request: web.Request, most: int | None, until: float | None
    ) -> web.StreamResponse:
        name = request.match_info["name"]
        self._sampling.check(name)
        with self._places.one(request):
            headers = {"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"}
            response = web.StreamResponse(headers=headers)
            await response.prepare(request)
            async with aclosing(self._messages(request, name, until)) as messages:
                count = 0
                async for message in messages:
                    await send(response, message.strip() + b"\n")
                    count += 1
                    if count == most:
                        break
            await response.write_eof()
        return response

    async def _messages(
        self, request: web.Request, name: str, until: float | None
    ) -> AsyncGenerator[bytes, None]:
        """Yield messages until the time is over or the client is gone."""
        async with aclosing(self._sampling.samples(name)) as samples:
            async for sample in samples:
                for message in sample.messages if sample is not None else ():
                    yield message
                if request.transport is None or request.transport.is_closing():
                    return
                if until is not None and time.monotonic() >= until:
                    return
                await asyncio.sleep(0)


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text[:9]) <= _MOST_MESSAGES:
        return int(text)
    raise Refused(400, f"messages must be a number from 1 to {_MOST_MESSAGES}")


def _seconds(text: str) -> float:
    try:
        seconds = read_duration(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _MOST_S:
        raise Refused(400, f"within must be a duration up to {_MOST_S:g} s, such as 30s")
    return seconds
