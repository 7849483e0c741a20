"""How a stream ends, and until when all that came over it is known to be handled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.answers import SETTINGS, chunked
from support.streamclient import StreamClient
from support.waiting import wait_for

from traptor.common.messages import Disconnected, DisconnectKind
from traptor.worker.stream import stop as stop_module

LINE = b'{"id_str":"1"}\r\n'
CHUNK = chunked(LINE, len(LINE)).removesuffix(b"0\r\n\r\n")
LAST_CHUNK = b"0\r\n\r\n"


@pytest.fixture
def client() -> Iterator[StreamClient]:
    client = StreamClient(settings=replace(SETTINGS, stall_timeout_s=60.0))
    yield client
    client.close()


def is_behind(client: StreamClient, since: float) -> bool:
    return client.stream.handled_until <= since


def safe_until(message: Disconnected) -> float:
    assert message.safe_until is not None
    return message.safe_until


def test_a_quiet_stream_that_we_end_is_caught_up_until_then(client: StreamClient) -> None:
    client.send(CHUNK)
    client.wait_for_lines(1)
    client.wait_until_caught_up()
    before = time.monotonic()
    client.stream.stop()
    message = client.end()
    assert message.kind is DisconnectKind.OWN_CLOSE
    assert before <= safe_until(message) <= time.monotonic()


def test_half_of_a_line_is_not_handled(client: StreamClient) -> None:
    client.handles.clear()
    client.send(CHUNK)
    client.wait_for_lines(1)
    client.send(b"%x\r\n%b\r\n" % (8, LINE[:8]))
    came_at = time.monotonic()
    client.handles.set()
    wait_for(
        lambda: client.stream._reply and not client.stream._reply.body._lines.is_between, "half of a line"
    )
    client.stream.stop()
    assert safe_until(client.end()) <= came_at
    assert len(client.lines) == 1


def test_a_whole_line_in_half_of_a_chunk_is_handled(client: StreamClient) -> None:
    client.send(b"%x\r\n%b" % (2 * len(LINE), LINE))
    client.wait_for_lines(1)
    client.wait_until_caught_up()
    before = time.monotonic()
    client.stream.stop()
    assert before <= safe_until(client.end())


def test_what_came_before_we_ended_it_is_handled_and_said_to_be(client: StreamClient) -> None:
    client.handles.clear()
    client.send(CHUNK)
    client.wait_for_lines(1)
    client.send(2 * CHUNK)
    came_at = time.monotonic()
    assert is_behind(client, came_at)
    client.stream.stop()
    stopped_at = time.monotonic()
    client.handles.set()
    message = client.end()
    assert len(client.lines) == 3
    assert safe_until(message) <= stopped_at


def test_who_is_too_far_behind_to_handle_all_says_so(
    client: StreamClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_module, "_HANDLE_S", 0.0)
    client.handles.clear()
    client.send(CHUNK)
    client.wait_for_lines(1)
    client.send(2 * CHUNK)
    came_at = time.monotonic()
    client.stream.stop()
    client.handles.set()
    assert safe_until(client.end()) <= came_at
    assert len(client.lines) == 1


def test_a_body_that_ends_is_handled_to_its_end(client: StreamClient) -> None:
    client.send(CHUNK + LAST_CHUNK)
    message = client.end()
    assert message.kind is DisconnectKind.SERVER_CLOSE
    assert safe_until(message) <= message.at


def test_a_body_that_ends_within_a_message_is_a_broken_connection(client: StreamClient) -> None:
    client.send(CHUNK)
    client.wait_for_lines(1)
    client.wait_until_caught_up()
    client.send(chunked(LINE[:8], 8))
    came_at = time.monotonic()
    message = client.end()
    assert message.kind is DisconnectKind.NETWORK
    assert safe_until(message) <= came_at
    assert len(client.lines) == 1
