"""The API in this process, on a socket and over TCP, without a supervisor behind it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast
from unittest.mock import MagicMock

import aiohttp
from aiohttp import web
from trial.ports import free_port

from support.waiting import DEADLINE_S
from traptor.common.config.sections.http import HttpSection
from traptor.supervisor.control.live import MOST_LIVE
from traptor.supervisor.control.routes import Api
from traptor.supervisor.control.server import ControlServer
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.ledger.answers.answer import View
from traptor.supervisor.orders.desk import Desk

T = TypeVar("T")


@dataclass(frozen=True)
class Answered:
    """One answer."""

    status: int
    content_type: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def no_view() -> View:
    return View(Instant(0.0, 0.0), [], [], [], [])


def make_desk(folder: Path, status: Callable[[], dict[str, Any]], view: Callable[[], View] = no_view) -> Desk:
    """What a master hands to the API; orders reach nobody."""
    nobody = cast(Any, MagicMock())
    return Desk(
        status=status,
        rates=lambda _name: [],
        view=view,
        ledger=folder / "ledger.db",
        foresee=lambda: {"refused": []},
        reload=nobody,
        find=lambda _name: [],
        without_filter=dict,
        last_matches=nobody,
        connections=nobody,
        keys=nobody,
        sampling=nobody,
        settings=nobody,
    )


class AnApi:
    """A new server for every question."""

    token = "0123456789abcdef-SECRET"
    most_live = MOST_LIVE

    def __init__(self, folder: Path, status: Callable[[], dict[str, Any]]) -> None:
        self._socket = folder / "s"
        self._port = free_port()
        self._http = HttpSection(listen=str(self._port), token=self.token)
        self._make = lambda: Api(make_desk(folder, status))

    @property
    def routes(self) -> list[web.RouteDef]:
        api = self._make()
        try:
            return api.routes()
        finally:
            api.close()

    def ask(
        self,
        method: str,
        target: str,
        *,
        tcp: bool = False,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answered:
        async def talk() -> Answered:
            async with self._session(tcp=tcp) as session:
                return await self._ask(session, method, target, tcp=tcp, headers=headers, body=body)

        return self._run(talk, tcp=tcp)

    def frames(self, target: str, count: int) -> list[bytes]:
        """The first frames of an answer that goes on."""

        async def talk() -> list[bytes]:
            async with self._session(tcp=False) as session, session.get(f"http://x{target}") as response:
                return [await response.content.readuntil(b"\n\n") for _ in range(count)]

        return self._run(talk)

    def while_listening(self, target: str, count: int, others: Sequence[str]) -> list[Answered]:
        """The answers to `others` while so many answers of `target` go on."""

        async def talk() -> list[Answered]:
            async with AsyncExitStack() as stack:
                session = await stack.enter_async_context(self._session(tcp=False))
                for _ in range(count):
                    response = await stack.enter_async_context(session.get(f"http://x{target}"))
                    await response.content.readuntil(b"\n\n")
                return [await self._ask(session, "GET", other, tcp=False, headers=None) for other in others]

        return self._run(talk)

    async def _ask(
        self,
        session: aiohttp.ClientSession,
        method: str,
        target: str,
        *,
        tcp: bool,
        headers: Mapping[str, str] | None,
        body: bytes = b"",
    ) -> Answered:
        where = f"http://127.0.0.1:{self._port}" if tcp else "http://x"
        async with session.request(
            method, where + target, headers=headers, data=io.BytesIO(body) if body else None
        ) as response:
            content = await response.read()
            return Answered(response.status, response.content_type, response.headers, content)

    @asynccontextmanager
    async def _session(self, *, tcp: bool) -> AsyncIterator[aiohttp.ClientSession]:
        connector = aiohttp.TCPConnector() if tcp else aiohttp.UnixConnector(str(self._socket))
        async with aiohttp.ClientSession(connector=connector) as session:
            yield session

    def _run(self, talk: Callable[[], Awaitable[T]], *, tcp: bool = False) -> T:
        async def whole() -> T:
            api = self._make()
            server = ControlServer(self._socket, api.routes(), lambda: self._http)
            await server.start()
            listening = asyncio.create_task(server.serve_tcp())
            try:
                if tcp:
                    await reached(self._port)
                async with asyncio.timeout(DEADLINE_S):
                    return await talk()
            finally:
                listening.cancel()
                await server.close()
                api.close()

        return asyncio.run(whole())


async def reached(port: int) -> None:
    """Wait until somebody listens on the port."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return
