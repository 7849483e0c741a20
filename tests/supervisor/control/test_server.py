"""The control socket has so many connections and no more, and nothing else suffers from those beyond."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import pytest
from aiohttp import web
from support.api import make_desk, reached
from support.waiting import DEADLINE_S
from trial.ports import free_port

from traptor.common.config.sections.http import HttpSection
from traptor.rulekit.service.author import author_of
from traptor.supervisor.control.routes import Api
from traptor.supervisor.control.server import ControlServer


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as folder:  # a short path
        yield Path(folder)


def with_server(
    folder: Path, most: int, talk: Callable[[Path], Awaitable[None]], idle_s: float = DEADLINE_S
) -> None:
    async def run() -> None:
        path = folder / "control.sock"
        api = Api(make_desk(folder, lambda: {"it": "runs"}))
        server = ControlServer(path, api.routes(), HttpSection, idle_s=idle_s, most_connections=most)
        await server.start()
        try:
            await talk(path)
        finally:
            await server.close()
            api.close()
        assert not path.exists()

    asyncio.run(run())


async def ask(path: Path, target: str = "/status") -> tuple[int, object]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), json.loads(body)


def test_the_oldest_idle_connection_is_closed_for_one_too_many(folder: Path) -> None:
    async def talk(path: Path) -> None:
        idle = [await asyncio.open_unix_connection(path) for _ in range(2)]
        assert await ask(path) == (200, {"it": "runs"})
        async with asyncio.timeout(DEADLINE_S):
            assert await idle[0][0].read() == b""
        idle[1][1].write(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(DEADLINE_S):
            assert (await idle[1][0].readline()).startswith(b"HTTP/1.1 200")
        for _, writer in idle:
            writer.close()

    with_server(folder, 2, talk)


HEAD = b"POST /api/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\nExpect: 100-continue\r\n\r\n"


def test_a_request_whose_body_is_not_whole_keeps_nobody_out(folder: Path) -> None:
    """One byte now and then kept a connection for as long as its client liked, and all 32 with it."""

    async def talk(path: Path) -> None:
        half = [await asyncio.open_unix_connection(path) for _ in range(2)]
        for reader, writer in half:
            writer.write(HEAD)
            assert (await reader.readline()).startswith(b"HTTP/1.1 100 ")
            writer.write(b"{")
        assert await ask(path) == (200, {"it": "runs"})
        for _, writer in half:
            writer.close()

    with_server(folder, 2, talk)


def test_a_body_that_drips_is_refused_after_a_time_in_all(folder: Path) -> None:
    async def talk(path: Path) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(HEAD)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")

        async def drip() -> None:
            while True:
                writer.write(b" ")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(DEADLINE_S):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        dripping.cancel()
        writer.close()

    with_server(folder, 2, talk, idle_s=0.2)


def test_a_body_that_cannot_be_read_is_refused_and_no_error_of_ours(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk(path: Path) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(
            b"POST /api/reload HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
            b"Connection: close\r\nContent-Length: 5\r\n\r\nabcde"
        )
        async with asyncio.timeout(DEADLINE_S):
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()

    with_server(folder, 2, talk)
    assert "a control request failed" not in caplog.text


def test_where_no_connection_can_be_closed_a_new_one_is_refused_with_a_sentence(folder: Path) -> None:
    async def talk(path: Path) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"too many connections" in answer
        writer.close()

    with_server(folder, 0, talk)


def test_a_question_for_which_no_thread_can_be_started_is_answered_with_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError("can't start new thread")

    async def talk(path: Path) -> None:
        monkeypatch.setattr(ThreadPoolExecutor, "submit", fail)
        status, body = await ask(path, "/totals")
        assert status == 503
        assert "can't start new thread" in str(body)

    with_server(folder, 2, talk)


def test_whoever_changes_something_is_known_by_the_kernel_or_by_a_token(folder: Path) -> None:
    token, alices, port = "0123456789abcdef", "fedcba9876543210", free_port()
    http = HttpSection(listen=str(port), token=token, tokens=f"alice:{alices}")
    path = folder / "control.sock"

    async def tell(request: web.Request) -> web.Response:
        return web.Response(text=author_of(request))

    async def asked(connector: aiohttp.BaseConnector, host: str, **headers: str) -> str:
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(f"http://{host}/who", headers=headers) as answer,
        ):
            return await answer.text() if answer.status == 200 else str(answer.status)

    async def run() -> list[str]:
        server = ControlServer(path, [web.post("/who", tell)], lambda: http)
        await server.start()
        listening = asyncio.create_task(server.serve_tcp())
        try:
            await reached(port)
            given = [{"Authorization": f"Bearer {text}"} for text in (token, alices, "x")]
            return [
                await asked(aiohttp.UnixConnector(str(path)), "x"),
                *[await asked(aiohttp.TCPConnector(), f"127.0.0.1:{port}", **one) for one in given],
            ]
        finally:
            listening.cancel()
            await server.close()

    assert asyncio.run(run()) == [getpass.getuser(), "[http] token", "token alice", "401"]
