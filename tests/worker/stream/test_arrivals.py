"""What has arrived and was handled, for a reader that stays behind."""

from __future__ import annotations

import random
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import SimpleNamespace

import pytest
from support.waiting import DEADLINE_S, wait_for

from traptor.worker.stream import arrivals as arrivals_module
from traptor.worker.stream.arrivals import _LOOK_S, Arrivals, _unread_bytes
from traptor.worker.stream.body import READ_BYTES, Body
from traptor.worker.stream.coding import Coding, Deflated, Plain
from traptor.worker.stream.framing import framing_of

LINES = 4_000
IN_A_WRITE = 250
_FLUSHING = zlib.compressobj(0)


@pytest.fixture
def wires() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The server's end of a connection, and the reader's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        with socket.create_connection(listener.getsockname()) as server:
            wire, _ = listener.accept()
            with wire:
                yield server, wire


def flushed(data: bytes) -> bytes:
    return _FLUSHING.compress(data) + _FLUSHING.flush(zlib.Z_SYNC_FLUSH)


def test_the_last_bytes_came_at_one_time_however_often_it_is_asked_for(
    wires: tuple[socket.socket, socket.socket],
) -> None:
    server, wire = wires
    arrivals = Arrivals(wire, time.monotonic())
    before = 0.0
    for sent in (1, 2):
        server.sendall(b"x")
        wait_for(lambda sent=sent: _unread_bytes(wire) == sent, "the byte is there")
        now = time.monotonic()
        answers = set()
        while time.monotonic() < now + 0.1:  # many ticks of the kernel's clock
            answers.add(arrivals.last_came_at()[0])
        [came_at] = answers
        assert before < came_at <= time.monotonic()
        before = came_at


def test_a_time_that_was_told_while_the_process_stood_still_does_not_stand(
    wires: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stood between the look at its own clock and the one at the kernel's."""
    server, wire = wires
    arrivals = Arrivals(wire, time.monotonic())
    server.sendall(b"x")
    wait_for(lambda: _unread_bytes(wire) == 1, "the byte is there")
    came_at = arrivals.last_came_at()[0]
    arrivals = Arrivals(wire, came_at)
    with monkeypatch.context() as patched:
        patched.setattr(arrivals_module, "time", SimpleNamespace(monotonic=lambda: time.monotonic() - 60.0))
        assert arrivals.last_came_at()[0] < came_at - 30.0
    assert arrivals.last_came_at()[0] > came_at - 30.0


@pytest.mark.parametrize(
    ("coding", "encode"), [(Plain(), bytes), (Deflated(1 << 20), flushed)], ids=["plain", "deflated"]
)
def test_a_reader_that_stays_behind_has_handled_all_but_what_came_lately(
    wires: tuple[socket.socket, socket.socket], coding: Coding, encode: Callable[[bytes], bytes]
) -> None:
    server, wire = wires
    sizes = random.Random(1).choices(range(100, 1500), k=LINES)
    lines = [b"%05d" % number + b"x" * size + b"\r\n" for number, size in enumerate(sizes)]
    came_at: list[float] = []  # of each line, not before it was sent
    taken = 0
    body = Body(wire, b"", framing_of(None, is_chunked=False), coding)
    began = time.monotonic()
    messages = body.messages(DEADLINE_S)
    late_s: list[float] = []
    while taken < LINES:
        if len(came_at) < LINES and len(came_at) - taken < 2 * IN_A_WRITE:
            before = time.monotonic()
            server.sendall(encode(b"".join(lines[len(came_at) : len(came_at) + IN_A_WRITE])))
            wait_for(lambda: _unread_bytes(wire) > READ_BYTES, "the reader is behind")
            came_at += [before] * IN_A_WRITE
            wait_for(lambda at=before: time.monotonic() > at + 2 * _LOOK_S, "the next write is later")
        until = body.handled_until
        assert until <= came_at[taken], "nothing is counted as handled that is not"
        late_s.append(came_at[taken] - max(until, began))
        taken += len(next(messages))
    shortly_before = [later - sooner for sooner, later in pairwise(sorted(set(came_at)))]
    reads_in_a_write = 1 + sum(sizes) // LINES * IN_A_WRITE // READ_BYTES
    assert max(late_s) <= 3 * reads_in_a_write * max(shortly_before)
