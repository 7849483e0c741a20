"""A connect takes no longer than it may in all, and an answer is told when its headers have come."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest
import requests
from support.answers import CONNECT, SETTINGS
from support.leftovers import Leftovers
from support.rawserver import RawServer
from support.streamclient import HEAD, StreamClient
from support.waiting import DEADLINE_S, wait_for

from traptor.common.messages import HEADER, Disconnected, DisconnectKind, frame, from_worker
from traptor.worker.stream.opening import Opening, OpeningAdapter
from traptor.worker.stream.v1 import V1Stream

REFUSED = b"HTTP/1.1 401 Unauthorized\r\n"
WITHIN = replace(SETTINGS, connect_timeout_s=0.5, stall_timeout_s=600.0)


def drip(text: bytes) -> Iterator[bytes]:
    """One byte after the other, each long before any single read would time out, without an end."""
    yield text
    while True:
        yield b"a"
        time.sleep(0.05)


@pytest.fixture
def server() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


def outcome(url: str, proxy: str | None = None) -> tuple[Disconnected, float]:
    """Return how a connect ends, and after how many seconds."""
    began = time.monotonic()
    stream = V1Stream(
        msgspec.structs.replace(CONNECT, proxy=proxy),
        replace(WITHIN, stream_url=url),
        on_open=lambda: None,
        on_lines=lambda _lines: None,
    )
    return stream.run(()), time.monotonic() - began


@pytest.mark.parametrize(
    "start",
    [b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nB: "],
)
def test_an_answer_whose_headers_drip_ends_at_the_deadline(server: RawServer, start: bytes) -> None:
    server.answer = lambda _request: drip(start)
    ended, took_s = outcome(server.url)
    assert (ended.kind, ended.status, ended.detail) == (
        DisconnectKind.NETWORK,
        None,
        "no answer within 0.5 s",
    )
    assert ended.reached
    assert took_s < DEADLINE_S


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
    ],
)
def test_an_interim_answer_is_not_the_answer(server: RawServer, interim: bytes) -> None:
    server.answer = lambda _request: [2 * interim + REFUSED + b"Content-Length: 2\r\n\r\nno"]
    ended, _ = outcome(server.url)
    assert (ended.status, ended.detail) == (401, "no")


def test_a_server_that_accepts_and_says_nothing_ends_at_the_deadline(server: RawServer) -> None:
    silence = threading.Event()
    server.answer = lambda _request: [b""] * silence.wait(DEADLINE_S)
    ended, took_s = outcome(server.url)
    silence.set()
    assert ended.kind is DisconnectKind.NETWORK
    assert took_s < DEADLINE_S


def test_tls_that_drips_ends_at_the_deadline(server: RawServer) -> None:
    server.answer = lambda _request: drip(b"\x16\x03\x03\x40\x00")  # the head of a long record
    ended, took_s = outcome(server.url.replace("http:", "https:"))
    assert ended.kind is DisconnectKind.NETWORK
    assert took_s < DEADLINE_S


def test_a_proxy_that_drips_ends_at_the_deadline(server: RawServer) -> None:
    server.answer = lambda _request: drip(b"HTTP/1.1 200 OK\r\nA: ")
    ended, took_s = outcome("https://192.0.2.1", proxy=server.url)
    assert ended.kind is DisconnectKind.NETWORK
    assert took_s < DEADLINE_S


def test_a_socks_proxy_that_drips_ends_at_the_deadline(server: RawServer) -> None:
    """Its last answer has 262 bytes; they would take minutes."""

    def answer(_request: bytes) -> Iterator[bytes]:
        yield b"\x05\x00"
        yield b"\x05\x00\x00\x03\xff"
        for _ in range(257):
            yield b"a"
            time.sleep(1)

    server.answer = answer
    ended, took_s = outcome("http://192.0.2.1", proxy=server.url.replace("http:", "socks5h:"))
    assert (ended.kind, ended.detail) == (DisconnectKind.NETWORK, "no answer within 0.5 s")
    assert took_s < DEADLINE_S


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_stream_comes_by_a_socks_proxy(server: RawServer, scheme: str) -> None:
    def answer(_request: bytes) -> Iterator[bytes]:
        yield b"\x05\x00"
        yield b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"
        yield HEAD + b'\r\n{"a":1}\r\n'

    server.answer = answer
    lines: list[bytes] = []
    stream = V1Stream(
        msgspec.structs.replace(
            CONNECT, proxy=server.url.replace("http:", "socks5h:"), source_address="127.0.0.3"
        ),
        replace(WITHIN, stream_url=f"{scheme}://stream.invalid"),
        on_open=lambda: None,
        on_lines=lines.extend,
    )
    ended = stream.run(())
    assert (ended.kind, lines) == (
        (DisconnectKind.SERVER_CLOSE, [b'{"a":1}']) if scheme == "http" else (DisconnectKind.NETWORK, [])
    )


@pytest.fixture
def refused() -> Iterator[StreamClient]:
    client = StreamClient(REFUSED + b"Content-Length: 5000\r\n", WITHIN)
    yield client
    client.close()


def test_a_refusal_is_told_before_its_text_is_there(refused: StreamClient) -> None:
    wait_for(lambda: refused.refused, "a refusal")
    (told,) = refused.refused
    assert (told.kind, told.status, told.streamed) == (DisconnectKind.HTTP, 401, False)
    assert refused.ended is None  # its text is waited for
    refused.send(b"\r\nOops, ")
    refused.send(b"not you")
    assert refused.end().detail == "Oops, not you"
    assert len(refused.refused) == 1


def test_the_text_of_a_refusal_is_waited_for_a_second_in_all() -> None:
    server = RawServer(lambda _request: drip(REFUSED + b"\r\n"))
    try:
        ended, took_s = outcome(server.url)
    finally:
        server.close()
    assert ended.status == 401
    assert ended.detail.startswith("aaa")
    assert took_s < DEADLINE_S


def test_headers_of_megabytes_say_nothing_and_fit_into_a_frame(server: RawServer) -> None:
    """The first hundred of sixty thousand digits are another number."""
    huge = b"".join(b"Retry-After: " + b"7" * 60_000 + b"\r\n" for _ in range(50))
    server.answer = lambda _request: [b"HTTP/1.1 420 x\r\n" + huge + b"x-rate-limit-reset: 7\r\n\r\n"]
    ended, _ = outcome(server.url)
    assert ended.status == 420
    assert ended.headers == {"x-rate-limit-reset": "7"}
    assert from_worker(frame(ended)[HEADER.size :]) == ended


def test_a_status_line_of_megabytes_is_no_answer(server: RawServer) -> None:
    server.answer = lambda _request: [b"HTTP/1.1 420 " + b"x" * 3_000_000 + b"\r\n\r\n"]
    ended, _ = outcome(server.url)
    assert ended.kind is DisconnectKind.NETWORK
    assert len(frame(ended)) < 1_000


def test_each_address_of_a_server_has_its_share_of_the_time() -> None:
    opening = Opening(10.0)
    assert 0 < opening.share_s(4) <= 2.5
    assert opening.share_s(0) <= 10.0


def test_no_watch_outlives_its_connect(server: RawServer) -> None:
    left = Leftovers()
    server.answer = lambda _request: [HEAD + b"Content-Length: 0\r\n\r\n"]
    ended, _ = outcome(server.url)
    assert ended.kind is DisconnectKind.SERVER_CLOSE
    left.wait_gone()


def test_what_comes_too_late_to_be_watched_is_refused() -> None:
    opening = Opening(0.001)
    opening.begin()
    wait_for(lambda: opening.overdue, "the deadline")
    with socket.socket() as sock, pytest.raises(TimeoutError):
        opening.watch(sock)
    opening.end()


def test_a_connection_made_too_late_is_closed(server: RawServer) -> None:
    opening = Opening(0.001)
    opening.begin()
    wait_for(lambda: opening.overdue, "the deadline")
    with requests.Session() as session:
        session.mount("http://", OpeningAdapter(opening, source_address=None))
        left = Leftovers()
        with pytest.raises(requests.ConnectionError) as caught:
            session.get(server.url)
        left.wait_gone()  # while the error still keeps all its frames
    assert "no answer within" in str(caught.value)
    opening.end()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        HEAD + b"\r\n",
        HEAD + b'Transfer-Encoding: chunked\r\n\r\n9\r\n{"a":1}\r\n\r\n0\r\n\r\n',
        HEAD + b"Content-Length: 1\r\n\r\n",
        REFUSED + b"\r\nno",
        REFUSED,
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_nothing_is_left(server: RawServer, answer: bytes) -> None:
    server.answer = lambda _request: [answer]
    outcome(server.url)  # what is opened once for all
    gc.disable()  # what only the collector closes is left, too
    try:
        left = Leftovers()
        for _ in range(3):
            outcome(server.url)
        left.wait_gone()  # of the server's connections too
    finally:
        gc.enable()
