"""The ways in: where the server listens, and how many connections each way may hold."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import stat
import struct
from collections.abc import Callable, Set
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from traptor.common.errors import TraptorError
from traptor.supervisor.control.refusals import CONTENT_TYPE, details

MOST_CONNECTIONS = 32
"""Of each way in. The rest of the master needs descriptors, too."""

_MODE = 0o660
_PEER = struct.Struct("3i")  # pid, uid and gid of the process that connected
_READ_BYTES = 65536
_BUSY = details(503, "too many connections; try again")
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: %b\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (CONTENT_TYPE.encode(), len(_BUSY), _BUSY)
)


def listen_at(path: Path) -> socket.socket:
    """Return a socket that listens at a path; one left by a dead master is replaced. Raises TraptorError."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        # The holder of master.lock is alone here: an existing socket was left by a dead master.
        if os.path.lexists(path) and stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
        umask = os.umask(0o777 & ~_MODE)
        try:
            listener.bind(str(path))
        finally:
            os.umask(umask)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise TraptorError(
            f"{path}: the control socket cannot be made: {error.strerror}; let this user write in run_dir,"
            " make room there, or remove what stands in the socket's place"
        ) from error
    return listener


def is_local(transport: asyncio.BaseTransport | None) -> bool:
    """Tell whether a connection came through the control socket."""
    sock = transport.get_extra_info("socket") if transport is not None else None
    return sock is not None and sock.family == socket.AF_UNIX


def peer_name(transport: asyncio.BaseTransport | None) -> str:
    """Return the OS user at the other end of the control socket, or the number of one without a name."""
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is None:
        return "somebody who is gone"
    _pid, uid, _gid = _PEER.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


class Door:
    """One way in, with its own limit: whoever uses up one leaves the other free.

    `answering` holds the connections whose request is being answered.
    """

    def __init__(
        self, *, local: bool, most: int, server: Callable[[], web.Server | None], answering: Set[object]
    ) -> None:
        self._local = local
        self._most = most
        self._server = server
        self._answering = answering

    def protocol(self) -> asyncio.Protocol:
        """Return a new connection's protocol; when there are too many, the oldest idle one is closed."""
        server = self._server()
        if server is None:
            return _Refusal()
        connections = [c for c in server.connections if is_local(c.transport) is self._local]
        idle = [connection for connection in connections if connection not in self._answering]
        if len(connections) - len(idle) >= self._most:
            return _Refusal()
        for connection in idle[: max(0, len(connections) + 1 - self._most)]:
            connection.force_close()
        return server()


class _Refusal(asyncio.Protocol):
    """Answers that there are too many connections, and closes this one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(_TOO_MANY)
        with suppress(OSError):  # the request must be read, or closing discards the answer
            os.read(transport.get_extra_info("socket").fileno(), _READ_BYTES)
        transport.close()
