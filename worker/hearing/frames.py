"""Read frames of the master from the socketpair."""

from __future__ import annotations

import socket

from traptor.common.messages import HEADER, payload_size


def read_payload(sock: socket.socket) -> bytes:
    """Return the content of the next frame. Raises EOFError when the master is gone, and ProtocolError."""
    return _exactly(sock, payload_size(HEADER.unpack(_exactly(sock, HEADER.size))[0]))


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)
