"""Orders and answers arrive as they were sent, with their descriptors."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from support.leftovers import Leftovers

from traptor.supervisor.workers.forking.orders import (
    Failed,
    Forked,
    ForkOrder,
    Order,
    Reaped,
    ReapOrder,
    close_all,
    receive_answer,
    receive_order,
    send,
)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("order", [ForkOrder("v2:é", 0), ReapOrder(2**31 - 1)])
def test_orders(order: Order, pair: Pair) -> None:
    send(pair[0], order)
    assert receive_order(pair[1]) == (order, [])


@pytest.mark.parametrize("answer", [Forked(77), Reaped(-9), Reaped(None), Failed(11)])
def test_answers(answer: Forked | Reaped | Failed, pair: Pair) -> None:
    send(pair[0], answer)
    assert receive_answer(pair[1]) == (answer, [])


def test_descriptors_come_with_their_order(pair: Pair) -> None:
    left = Leftovers()
    read, write = os.pipe()
    send(pair[0], ForkOrder("track:0", 2), [read, write])
    received = receive_order(pair[1])
    assert received is not None
    _, fds = received
    os.write(fds[1], b"x")
    assert os.read(read, 1) == b"x"
    close_all([read, write, *fds])
    left.wait_gone()


def test_the_end_of_the_other_side_is_no_order(pair: Pair) -> None:
    pair[0].close()
    assert receive_order(pair[1]) is None
    assert receive_answer(pair[1]) is None
