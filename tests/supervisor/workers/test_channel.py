"""The master's end of the link: large messages go piece by piece, and a deaf worker is found."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest
from support.waiting import DEADLINE_S

from traptor.common.errors import ProtocolError
from traptor.common.messages import HEADER, Drain, FromMaster, Rules, from_master
from traptor.common.pieces import PIECE_BYTES
from traptor.supervisor.workers.channel import MAX_UNSENT_BYTES, Channel
from traptor.supervisor.workers.switchboard import Switchboard

PIECES = [Rules(1, piece, piece == 39, bytes(PIECE_BYTES)) for piece in range(40)]


def channel_of(sock: socket.socket) -> Channel:
    return Channel(sock, Switchboard(), lambda message: None, lambda error: None)


def read_messages(sock: socket.socket, count: int) -> list[FromMaster]:
    found: list[FromMaster] = []
    with sock.makefile("rb") as file:
        while len(found) < count:
            (size,) = HEADER.unpack(file.read(HEADER.size))
            found.append(from_master(file.read(size)))
    return found


def send_all(channel: Channel, messages: list[FromMaster]) -> None:
    for message in messages:
        channel.send(message)


async def closed(channel: Channel, ours: socket.socket, theirs: socket.socket) -> None:
    theirs.close()
    channel.close()
    async with asyncio.timeout(DEADLINE_S):
        while ours.fileno() >= 0:
            await asyncio.sleep(0.001)


def test_many_pieces_arrive_in_order_and_no_fault_is_seen() -> None:
    ours, theirs = socket.socketpair()
    expected = [*PIECES, Drain(1.0)]
    found: list[FromMaster] = []
    reader = threading.Thread(target=lambda: found.extend(read_messages(theirs, len(expected))), daemon=True)

    async def talk() -> None:
        channel = channel_of(ours)
        for message in expected:
            channel.send(message)
        await asyncio.sleep(0)  # nobody reads yet
        channel.send(Drain(2.0))
        reader.start()
        await asyncio.wait_for(asyncio.to_thread(reader.join, DEADLINE_S), DEADLINE_S)
        await closed(channel, ours, theirs)

    asyncio.run(talk())
    assert found == expected


def test_a_worker_that_leaves_its_orders_unread_is_a_fault() -> None:
    ours, theirs = socket.socketpair()

    async def talk() -> None:
        channel = channel_of(ours)
        channel.send(Drain(1.0))
        await asyncio.to_thread(theirs.recv, 1, socket.MSG_PEEK)  # the link is up
        with pytest.raises(ProtocolError, match="does not read"):
            send_all(channel, [Drain(1.0)] * MAX_UNSENT_BYTES)
        await closed(channel, ours, theirs)

    asyncio.run(talk())
