"""Stands where api.x.com should, and answers what a test says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from traptor.supervisor.xapi.exchange import Exchange, x_session


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Said:
    """An answer: JSON, or bytes as they are."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class FakeX:
    """Answers each request by `answer`, and keeps what was asked."""

    def __init__(self, answer: Callable[[Asked], Said]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        asked = Asked(
            request.method, request.path, dict(request.query), dict(request.headers), await request.read()
        )
        self.asked.append(asked)
        said = self.answer(asked)
        return web.Response(body=said.raw, status=said.status, headers=said.headers)


@asynccontextmanager
async def fake_x(answer: Callable[[Asked], Said]) -> AsyncIterator[tuple[FakeX, Exchange]]:
    """Yield the server, and an exchange that asks it."""
    fake = FakeX(answer)
    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/{path:.*}", fake.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    session = x_session()
    try:
        yield fake, Exchange(session, fake.url)
    finally:
        await session.close()
        await runner.cleanup()
