"""What the master orders of its forker, and the answers: a packet each, with its descriptors."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence

import msgspec

NO_ROOM = frozenset({errno.ENOMEM, errno.ENOBUFS, errno.ETOOMANYREFS})
"""The errors of a packet that the kernel has no room for: it was not sent, and another may be."""

_PACKET_BYTES = 1 << 17  # settings may hold certificates and keys
_MOST_FDS = 8


class PrepareOrder(msgspec.Struct, tag="prepare", frozen=True):
    """Make ready what workers with the settings of this birth use; the one order that is not answered.

    `folder`: where to rehearse.
    """

    birth: bytes
    folder: str


class ForkOrder(msgspec.Struct, tag="fork", frozen=True):
    """Fork a worker; its descriptors come with the order: socket, log, and what it only keeps."""

    connection: str
    fds: int


class ReapOrder(msgspec.Struct, tag="reap", frozen=True):
    """Reap a worker that is dead, and tell its exit code."""

    pid: int


class Forked(msgspec.Struct, tag="forked", frozen=True):
    """The worker lives; a pidfd of it comes with the answer."""

    pid: int


class Reaped(msgspec.Struct, tag="reaped", frozen=True):
    """The exit code (negative: the signal that ended it); None: it was reaped elsewhere."""

    code: int | None


class Failed(msgspec.Struct, tag="failed", frozen=True):
    """The host has no room: the error of the system call that failed."""

    errno: int


Order = PrepareOrder | ForkOrder | ReapOrder
Answer = Forked | Reaped | Failed

_encoder = msgspec.msgpack.Encoder()
_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def send(sock: socket.socket, message: Order | Answer, fds: Sequence[int] = ()) -> None:
    """Send one packet. Raises OSError."""
    packet = _encoder.encode(message)
    if len(packet) > _PACKET_BYTES:  # the other end would take the beginning of it
        raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
    socket.send_fds(sock, [packet], fds)


def receive_order(sock: socket.socket) -> tuple[Order, list[int]] | None:
    """Return the next order with its descriptors; None when the other end is closed. Raises OSError."""
    packet, fds = _receive(sock)
    return (_orders.decode(packet), fds) if packet else None


def receive_answer(sock: socket.socket) -> tuple[Answer, list[int]] | None:
    """Return the answer with its descriptors; None when the other end is closed. Raises OSError."""
    packet, fds = _receive(sock)
    return (_answers.decode(packet), fds) if packet else None


def close_all(fds: Sequence[int]) -> None:
    """Close descriptors that came with a packet."""
    for fd in fds:
        os.close(fd)


def _receive(sock: socket.socket) -> tuple[bytes, list[int]]:
    # A process without room for them gets fewer descriptors than were sent, or none.
    packet, fds, _flags, _address = socket.recv_fds(sock, _PACKET_BYTES, _MOST_FDS)
    return packet, fds
