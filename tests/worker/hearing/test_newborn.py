"""A worker learns what to serve from the first that its master says, in however many pieces that comes."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.births import worker_settings
from support.making_posts import single
from support.making_tweets import rule

from traptor.common.birth import Birth
from traptor.common.birthframe import birth_frame, birth_frames
from traptor.common.errors import ProtocolError
from traptor.common.messages import Drain, FromMaster, frame
from traptor.worker.hearing import newborn as newborn_module
from traptor.worker.hearing.newborn import Newborn

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def birth(tmp_path: Path) -> Birth:
    rules = tuple(rule("track:0", f"r{number}", f"word{number}", tag="x" * 1_000) for number in range(900))
    return Birth("v2:app", 3, None, rules, worker_settings(tmp_path), filters=(single("1", "track:0", "a"),))


def said(birth: Birth, *orders: FromMaster) -> bytes:
    return birth_frames(birth) + b"".join(map(frame, orders))


def sending(sock: socket.socket, pieces: Sequence[bytes]) -> threading.Thread:
    thread = threading.Thread(target=lambda: [sock.sendall(piece) for piece in pieces])
    thread.start()
    return thread


@pytest.mark.parametrize("size", [1_000, 1 << 20])
def test_it_takes_what_is_for_it_and_leaves_the_orders_after_it(size: int, pair: Pair, birth: Birth) -> None:
    data = said(birth, Drain(1.5))
    thread = sending(pair[0], [data[start : start + size] for start in range(0, len(data), size)])
    newborn = Newborn(pair[1])
    assert (newborn.rules, newborn.begun.name) == (900, "v2:app#3")
    assert newborn.begun.rules == ()
    assert newborn.learn() == birth
    thread.join()
    assert pair[1].gettimeout() is None
    assert pair[1].recv(100) == frame(Drain(1.5))


def test_an_order_before_the_rules_is_no_birth(pair: Pair, birth: Birth) -> None:
    pair[0].sendall(birth_frame(birth) + frame(Drain(1.0)))
    with pytest.raises(ProtocolError, match="an order before the rules"):
        Newborn(pair[1]).learn()


def test_a_frame_that_is_too_large_is_not_waited_for(pair: Pair) -> None:
    pair[0].sendall(b"\xff\xff\xff\xff")
    with pytest.raises(ProtocolError):
        Newborn(pair[1])


def test_a_master_that_says_nothing_is_waited_for_no_longer_than_so(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newborn_module, "_PIECE_S", 0.05)
    with pytest.raises(TimeoutError):
        Newborn(pair[1])


@pytest.mark.parametrize("before_its_end", [0, 3, 500])
def test_without_its_master_it_ends_and_says_nothing(
    before_its_end: int, pair: Pair, birth: Birth, capfd: pytest.CaptureFixture[str]
) -> None:
    pid = os.fork()
    if not pid:
        pair[0].close()
        Newborn(pair[1]).learn()
        os._exit(99)
    pair[0].sendall(said(birth)[:before_its_end])
    pair[0].close()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert capfd.readouterr().err == ""
