"""Every message is handed on when its bytes have come, and what is not handled is never called handled."""

from __future__ import annotations

import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from support.answers import CONNECT, SETTINGS
from support.rawserver import RawServer, Torn
from support.streamclient import CHUNKED, HEAD, StreamClient
from support.waiting import DEADLINE_S

from traptor.common.messages import DisconnectKind
from traptor.worker.stream.v1 import V1Stream

SHORT = replace(SETTINGS, stall_timeout_s=0.5)
Connected = Callable[[bytes], StreamClient]
LINES = [b'{"id_str":"%d"}' % number for number in range(1, 10)]
BODY = b"".join(line + b"\r\n" for line in LINES)


def whole(data: bytes) -> bytes:
    return data


class Flushing:
    """A server's compression, flushed after each piece."""

    def __init__(self, mode: int = zlib.Z_SYNC_FLUSH) -> None:
        self._deflate = zlib.compressobj(wbits=31)
        self._mode = mode

    def __call__(self, data: bytes) -> bytes:
        return self._deflate.compress(data) + self._deflate.flush(self._mode)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def half_of_a_chunk(data: bytes) -> bytes:
    """Whole lines in a chunk that goes on."""
    return b"%x\r\n%b" % (2 * len(data), data)


GZIP = b"Content-Encoding: gzip\r\n"
FRAMINGS = {
    "chunks": (CHUNKED, lambda: chunk),
    "half_of_a_chunk": (CHUNKED, lambda: half_of_a_chunk),
    "close": (b"Connection: close\r\n", lambda: whole),
    "keep-alive": (b"Connection: keep-alive\r\n", lambda: whole),
    "length": (b"Content-Length: 1000000000\r\n", lambda: whole),
    "gzip": (GZIP, Flushing),
    "gzip_partly_flushed": (GZIP, lambda: Flushing(zlib.Z_PARTIAL_FLUSH)),
    "gzip_in_chunks": (GZIP + CHUNKED, lambda: _then(Flushing(), chunk)),
    "gzip_in_half_of_a_chunk": (GZIP + CHUNKED, lambda: _then(Flushing(), half_of_a_chunk)),
}


def _then(first: Callable[[bytes], bytes], second: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda data: second(first(data))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return context, file


@pytest.fixture(params=["plain", "tls"])
def connected(request: pytest.FixtureRequest, authority: tuple[ssl.SSLContext, Path]) -> Iterator[Connected]:
    """Makes clients of an answer with these headers."""
    context, file = authority
    clients: list[StreamClient] = []

    def make(headers: bytes) -> StreamClient:
        tls = context if request.param == "tls" else None
        client = StreamClient(HEAD + headers, SETTINGS, tls, ca_file=file)
        clients.append(client)
        assert client.opened.wait(DEADLINE_S)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.mark.parametrize("framing", FRAMINGS)
def test_lines_are_handed_on_when_their_bytes_have_come(connected: Connected, framing: str) -> None:
    headers, make = FRAMINGS[framing]
    client, framed = connected(headers), make()
    client.send(framed(BODY))
    client.wait_for_lines(len(LINES))
    assert client.lines == LINES
    client.wait_until_caught_up()


@pytest.mark.parametrize("framing", [name for name in FRAMINGS if "half" not in name])
def test_a_line_that_came_in_part_is_not_handled_and_its_rest_makes_it_whole(
    connected: Connected, framing: str
) -> None:
    headers, make = FRAMINGS[framing]
    client, framed = connected(headers), make()
    client.send(framed(LINES[0] + b"\r\n"))
    client.wait_for_lines(1)
    client.wait_until_caught_up()
    client.send(framed(LINES[1][:5]))
    came_at = time.monotonic()
    assert client.stream.handled_until <= came_at
    client.send(framed(LINES[1][5:] + b"\r"))
    assert client.stream.handled_until <= came_at
    client.send(framed(b"\n"))
    client.wait_for_lines(2)
    assert client.lines == LINES[:2]
    client.wait_until_caught_up()


@pytest.mark.parametrize("framing", [name for name in FRAMINGS if "half" not in name])
def test_bytes_of_which_nothing_can_be_made_yet_are_not_handled(connected: Connected, framing: str) -> None:
    """Half of what the server sends as one: of a record of TLS, of a block of the compression, of a line."""
    headers, make = FRAMINGS[framing]
    client, framed = connected(headers), make()
    client.send(framed(LINES[0] + b"\r\n"))
    client.wait_for_lines(1)
    client.wait_until_caught_up()
    client.send(Torn(framed(b'{"id_str":"' + bytes(range(65, 91)) * 9 + b'"}\r\n')))
    came_at = time.monotonic()
    for _ in range(20):  # while the reader takes it in, and afterwards
        assert client.stream.handled_until <= came_at
        time.sleep(0.01)
    client.stream.stop()
    message = client.end()
    assert message.safe_until is not None
    assert message.safe_until <= came_at
    assert len(client.lines) == 1


def dripping(headers: bytes, start: bytes) -> Iterator[bytes]:
    """Answer 200 and `start`, then a byte now and then without an end."""
    yield HEAD + headers + b"\r\n" + start
    while True:
        yield b"a"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("headers", "start"),
    [
        pytest.param(CHUNKED, b"5;", id="extension of a chunk"),
        pytest.param(CHUNKED, b"ffff\r\n", id="a line without an end"),
        pytest.param(b"Content-Length: 1000000000\r\n", b"", id="the same with a length"),
    ],
)
def test_bytes_that_drip_and_come_to_nothing_are_a_stall(headers: bytes, start: bytes) -> None:
    server = RawServer(lambda _request: dripping(headers, start))
    settings, began = replace(SHORT, stream_url=server.url), time.monotonic()
    stream = V1Stream(CONNECT, settings, on_open=lambda: None, on_lines=lambda _lines: None)
    watch = threading.Timer(DEADLINE_S, stream.stop)
    watch.start()
    try:
        ended = stream.run(())
    finally:
        watch.cancel()
        server.close()
    assert ended.kind is DisconnectKind.STALL
    assert time.monotonic() - began < DEADLINE_S
