"""A reader that comes late, as one that was stopped: what ended meanwhile is dated to when that came."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psutil
import pytest
from support.answers import SETTINGS, chunked
from support.streamclient import StreamClient
from support.waiting import DEADLINE_S, wait_for

from traptor.common.messages import DisconnectKind
from traptor.worker.stream.v1 import V1Stream

LINE = b'{"id_str":"1"}\r\n'
LAST_CHUNK = b"0\r\n\r\n"
CHUNK = chunked(LINE, len(LINE)).removesuffix(LAST_CHUNK)
LATE_S = 0.4
# The kernel counts in ticks of at most 10 ms, at both ends of what it measures.
TICKS_S = 0.03


@pytest.fixture
def client() -> Iterator[StreamClient]:
    made = StreamClient(settings=replace(SETTINGS, stall_timeout_s=LATE_S))
    yield made
    made.close()


def wait_until_late(since: float) -> None:
    wait_for(lambda: time.monotonic() > since + LATE_S, "it is late")


def is_closed_by_the_server(client: StreamClient) -> bool:
    port = int(client._server.url.rpartition(":")[2])
    connections = psutil.Process().net_connections("tcp")
    return any(c.raddr and c.raddr.port == port and c.status == "CLOSE_WAIT" for c in connections)


@pytest.mark.parametrize("last", [b"", LAST_CHUNK])
def test_an_end_that_is_read_late_is_dated_to_when_it_came(client: StreamClient, last: bytes) -> None:
    client.handles.clear()
    client.send(CHUNK)
    client.wait_for_lines(1)  # and is not handled to its end
    client.send(CHUNK + last)
    client.send(None)
    wait_for(lambda: is_closed_by_the_server(client), "the end has come")
    came_at = time.monotonic()
    wait_until_late(came_at)
    client.handles.set()
    message = client.end()
    assert len(client.lines) == 2
    if last:
        assert message.kind is DisconnectKind.SERVER_CLOSE
        assert message.at <= came_at + TICKS_S
    else:  # within the answer: it broke
        assert message.kind is DisconnectKind.NETWORK
    assert message.last_byte_at <= came_at + TICKS_S


def test_a_200_that_is_read_late_is_dated_to_when_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    keep, came, goes_on = V1Stream._keep_response, threading.Event(), threading.Event()

    def keep_and_wait(reader: V1Stream, response: Any, *args: Any, **options: Any) -> None:
        keep(reader, response, *args, **options)
        came.set()
        goes_on.wait(DEADLINE_S)

    monkeypatch.setattr(V1Stream, "_keep_response", keep_and_wait)
    client = StreamClient()
    try:
        assert came.wait(DEADLINE_S)
        came_at = time.monotonic()
        wait_until_late(came_at)
        goes_on.set()
        assert client.opened.wait(DEADLINE_S)
        assert client.stream.opened_at <= came_at + TICKS_S
    finally:
        client.close()


def test_a_silence_is_dated_to_its_beginning_though_what_came_before_is_handled_late(
    client: StreamClient,
) -> None:
    client.handles.clear()
    client.send(2 * CHUNK)
    came_at = time.monotonic()
    client.wait_for_lines(1)
    wait_until_late(came_at)
    assert client.stream.last_byte_at <= came_at + TICKS_S
    client.handles.set()
    message = client.end()
    assert message.kind is DisconnectKind.STALL
    assert len(client.lines) == 2
    assert message.last_byte_at <= came_at + TICKS_S
    assert message.at >= came_at + 2 * LATE_S
