"""Files go to addresses that X names, and come from there, and neither address nor token is shown."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from support.fakex import Asked, FakeX, Said, fake_x
from support.planted import SECRET, everything_shown
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
