"""Files go to addresses that X names, and come from there, and neither address nor token is shown."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from typing import TypeVar

import pytest
from support.fakex import Asked, FakeX, Said, fake_x
from support.planted import SECRET, everything_shown
from support.rawserver import RawServer
from support.waiting import DEADLINE_S
from yarl import URL

from traptor.supervisor.xapi.exchange import x_session
from traptor.supervisor.xapi.failures import BadAnswer, KeyRefused, ServerTrouble, XFailure
from traptor.supervisor.xapi.transfer import Transfer

TOKEN = f"bt{SECRET}"
T = TypeVar("T")


def transferred(
    answer: Callable[[Asked], Said], use: Callable[[Transfer, FakeX], Awaitable[T]], api_url: str = ""
) -> tuple[T, list[Asked]]:
    async def talk() -> tuple[T, list[Asked]]:
        async with fake_x(answer) as (fake, _), x_session() as session:
            return await use(Transfer(session, api_url or fake.url, TOKEN, None), fake), fake.asked

    return asyncio.run(talk())


def failure(answer: Callable[[Asked], Said], use: Callable[[Transfer, FakeX], Awaitable[T]]) -> XFailure:
    with pytest.raises(XFailure) as caught:
        transferred(answer, use)
    shown = everything_shown(caught.value)
    assert SECRET not in shown
    return caught.value


async def read(transfer: Transfer, address: str) -> list[bytes]:
    return [line async for line in transfer.lines("download", address)]


def test_a_file_is_sent_whole_with_its_length_and_again_from_its_start() -> None:
    content = b"".join(b"%d\n" % number for number in range(100_000))
    file = io.BytesIO(content)

    async def send(transfer: Transfer, fake: FakeX) -> None:
        for _ in range(2):
            await transfer.send("upload", f"{fake.url}/up?sig=a%2Fb", file)

    _, asked = transferred(lambda _: Said(), send)
    for one in asked:
        assert (one.method, one.path, one.query) == ("PUT", "/up", {"sig": "a/b"})
        assert one.raw == content
        assert one.headers["Content-Length"] == str(len(content))
        assert one.headers["Content-Type"] == "text/plain"
        assert one.headers["Authorization"] == f"Bearer {TOKEN}"
    assert not file.closed


def test_lines_come_whole_however_the_pieces_fall() -> None:
    content = b"".join(b'{"id":"%d"}\n' % number for number in range(50_000)) + b"the last"

    lines, _ = transferred(lambda _: Said(content), lambda transfer, fake: read(transfer, f"{fake.url}/down"))
    assert lines == content.split(b"\n")


def test_another_server_never_gets_the_token() -> None:
    async def use(transfer: Transfer, fake: FakeX) -> None:
        # https cannot be served here
        transfer._checked = lambda _what, address: URL(address)  # type: ignore[method-assign]
        await transfer.send("upload", f"{fake.url}/up", io.BytesIO(b"1\n"))

    _, (asked,) = transferred(lambda _: Said(), use, api_url="https://api.x.com")
    assert "Authorization" not in asked.headers


@pytest.mark.parametrize(
    "address",
    [f"http://elsewhere.invalid/{SECRET}", "nowhere", "", f"ftp://x/{SECRET}", "https:x", "https://"],
)
def test_an_address_that_is_not_safe_is_not_used(address: str) -> None:
    error = failure(lambda _: Said(), lambda transfer, _: read(transfer, address))
    assert isinstance(error, BadAnswer)


def test_a_refusal_says_what_x_said_and_no_redirect_is_followed() -> None:
    problem = {
        "title": "Forbidden",
        "detail": "expired",
        "type": "https://api.x.com/2/problems/client-forbidden",
    }
    refused = failure(
        lambda _: Said(problem, 403), lambda transfer, fake: read(transfer, f"{fake.url}/{SECRET}")
    )
    assert isinstance(refused, KeyRefused)
    assert "download: X answered 403: " in str(refused)
    moved = failure(
        lambda _: Said(b"", 302, {"Location": f"https://elsewhere.invalid/{SECRET}"}),
        lambda transfer, fake: read(transfer, f"{fake.url}/{SECRET}"),
    )
    assert "302" in str(moved)


def test_what_breaks_off_is_trouble_without_the_address() -> None:
    error = failure(lambda _: Said(), lambda transfer, _: read(transfer, f"https://127.0.0.1:1/{SECRET}"))
    assert isinstance(error, ServerTrouble)


def test_a_line_without_end_is_refused() -> None:
    error = failure(lambda _: Said(b"x" * 200_000), lambda transfer, fake: read(transfer, fake.url))
    assert isinstance(error, BadAnswer)


# ---- what never ends

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
DRIPS = [b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nA: ", HEAD, b"HTTP/1.1 200 OK\r\n\r\n"]


def dripping(start: bytes) -> RawServer:
    """Each byte comes long before a single read would time out."""

    def drip(_request: bytes) -> Iterator[bytes]:
        yield start
        while True:
            yield b"1"
            time.sleep(0.05)

    return RawServer(drip)


def trouble(use: Callable[[Transfer], Awaitable[object]], server: RawServer) -> str:
    async def talk() -> None:
        async with x_session() as session:
            await use(Transfer(session, server.url, TOKEN, None, within_s=0.3))

    with closing(server), pytest.raises(ServerTrouble) as caught:
        asyncio.run(talk())
    assert SECRET not in everything_shown(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("start", DRIPS)
def test_a_download_that_drips_ends_in_time(start: bytes) -> None:
    server = dripping(start)
    said = trouble(lambda transfer: read(transfer, f"{server.url}/{SECRET}"), server)
    assert said == "download: the transfer is too slow: less than 64 KiB within 0.3 s"


@pytest.mark.parametrize("start", DRIPS[:2])
def test_an_upload_whose_answer_drips_ends_in_time(start: bytes) -> None:
    server = dripping(start)
    file = io.BytesIO(b"1\n")
    said = trouble(lambda transfer: transfer.send("upload", f"{server.url}/{SECRET}", file), server)
    assert said == "upload: the transfer is too slow: less than 64 KiB within 0.3 s"


@pytest.mark.parametrize("ask", ["send", "lines"])
@pytest.mark.parametrize("text", [b"", b'{"title":'])
def test_a_refusal_is_known_though_its_text_does_not_end(ask: str, text: bytes) -> None:
    done = threading.Event()

    def silent(_request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 403 No\r\nContent-Length: 5000\r\n\r\n" + text
        done.wait(DEADLINE_S)

    async def talk(server: RawServer) -> None:
        async with x_session() as session:
            transfer = Transfer(session, server.url, TOKEN, None, within_s=DEADLINE_S)
            if ask == "send":
                await transfer.send("upload", server.url, io.BytesIO(b"1\n"))
            await read(transfer, server.url)

    with closing(RawServer(silent)) as server:
        with pytest.raises(KeyRefused):
            asyncio.run(talk(server))
        done.set()
