"""How a stream ends, and until when all that came over it is known to be handled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.answers import CONNECT, SETTINGS, chunked
from support.rawserver import RawServer
from support.waiting import wait_for

from traptor.common.messages import Disconnected, DisconnectKind
from traptor.worker.stream import v1 as stream_module
from traptor.worker.stream.v1 import V1Stream

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LINE = b'{"id_str":"1"}\r\n'
CHUNK = chunked(LINE, len(LINE)).removesuffix(b"0\r\n\r\n")
LAST_CHUNK = b"0\r\n\r\n"


class Client:
    """A stream that a thread reads, from a server that sends `send` one after the other."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.handles = threading.Event()  # without it a line is not handled to its end
        self.handles.set()
        self.ended: Disconnected | None = None
        self._pieces: list[bytes | None] = [HEAD]
        self._more = threading.Condition()
        self._server = RawServer(self._answer)
        settings = replace(SETTINGS, stream_url=self._server.url)
        self.stream = V1Stream(CONNECT, settings, on_open=lambda: None, on_line=self._on_line)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def send(self, piece: bytes | None) -> None:
        """Returns when it has come to this host; None ends the answer."""
        with self._more:
            self._pieces.append(piece)
            self._more.notify_all()
            assert self._more.wait_for(lambda: not self._pieces or self.ended, 10)

    def end(self) -> Disconnected:
        self._thread.join(10)
        assert self.ended is not None
        return self.ended

    def close(self) -> None:
        self.handles.set()
        self.stream.stop()
        self._thread.join(10)
        self.send(None)
        self._server.close()

    def _run(self) -> None:
        self.ended = self.stream.run(())

    def _on_line(self, line: bytes) -> None:
        self.lines.append(line)
        self.handles.wait(10)

    def _answer(self, _request: bytes) -> Iterator[bytes]:
        while True:
            with self._more:
                self._more.wait_for(lambda: self._pieces)
                piece = self._pieces[0]
            if piece is None:
                return
            yield piece
            with self._more:
                del self._pieces[0]
                self._more.notify_all()


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.close()


def wait_for_lines(client: Client, count: int) -> None:
    wait_for(lambda: len(client.lines) == count, f"{count} lines")


def has_unread(client: Client) -> bool:
    assert client.stream._response is not None
    return stream_module._has_unread(client.stream._response)


def wait_until_read(client: Client, count: int) -> None:
    wait_for_lines(client, count)
    handled_at = time.monotonic()
    wait_for(lambda: client.stream.caught_up_at > handled_at, "a reader that waits for more")


def caught_up_at(message: Disconnected) -> float:
    assert message.caught_up_at is not None
    return message.caught_up_at


def test_a_quiet_stream_that_we_end_is_caught_up_until_then(client: Client) -> None:
    client.send(CHUNK)
    wait_until_read(client, 1)
    before = time.monotonic()
    client.stream.stop()
    message = client.end()
    assert message.kind is DisconnectKind.OWN_CLOSE
    assert before <= caught_up_at(message) <= time.monotonic()


@pytest.mark.parametrize(
    "torn",
    [
        b"%x\r\n%b" % (2 * len(LINE), LINE),  # a whole line in half of a chunk
        b"%x\r\n%b\r\n" % (8, LINE[:8]),  # half of a line in a whole chunk
    ],
)
def test_what_came_in_part_is_not_handled(client: Client, torn: bytes) -> None:
    client.handles.clear()
    client.send(CHUNK)
    wait_for_lines(client, 1)
    sent_at = time.monotonic()
    client.send(torn)
    wait_for(lambda: has_unread(client), "half of something")
    client.handles.set()
    wait_for(lambda: not has_unread(client), "a reader that waits for the other half")
    client.stream.stop()
    assert caught_up_at(client.end()) <= sent_at
    assert len(client.lines) == 1


def test_what_came_before_we_ended_it_is_handled_and_said_to_be(client: Client) -> None:
    client.handles.clear()
    client.send(CHUNK)
    wait_for_lines(client, 1)
    client.send(2 * CHUNK)
    wait_for(lambda: has_unread(client), "more to handle")
    client.stream.stop()
    client.handles.set()
    message = client.end()
    assert len(client.lines) == 3
    assert caught_up_at(message) <= time.monotonic()


def test_who_is_too_far_behind_to_handle_all_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "STOP_S", 0.0)
    client.handles.clear()
    client.send(CHUNK)
    wait_for_lines(client, 1)
    sent_at = time.monotonic()
    client.send(2 * CHUNK)
    wait_for(lambda: has_unread(client), "what it is behind with")
    client.stream.stop()
    client.handles.set()
    assert caught_up_at(client.end()) <= sent_at
    assert len(client.lines) == 1


def test_a_body_that_ends_is_handled_to_its_end(client: Client) -> None:
    client.send(CHUNK + LAST_CHUNK)
    message = client.end()
    assert message.kind is DisconnectKind.SERVER_CLOSE
    assert caught_up_at(message) <= message.at
