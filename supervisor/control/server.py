"""Serve the control socket `run_dir/control.sock`: HTTP over a unix socket, in the master's event loop."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from traptor.common.errors import ConfigError, Problem, TraptorError
from traptor.supervisor.control.handlers import ControlHandlers
from traptor.supervisor.ledger.answer import UnknownError
from traptor.supervisor.ledger.question import BadQuestionError

log = logging.getLogger(__name__)

SOCKET_NAME = "control.sock"
_MAX_PATH_BYTES = 107  # unix(7): 108 with the terminating null byte
_MODE = 0o660
_SHUTDOWN_S = 1.0
_BACKLOG = 32
MOST_CONNECTIONS = 32
_READ_BYTES = 65536
_IDLE_S = 10.0  # a connection whose request is incomplete by then is closed

_BUSY = b'{"error": "too many connections to the control socket; try again"}'
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BUSY), _BUSY)
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def socket_path(run_dir: Path) -> Path:
    """Return the path of the control socket. Raises ConfigError when it is too long for a unix socket."""
    path = run_dir / SOCKET_NAME
    length = len(os.fsencode(path))
    if length > _MAX_PATH_BYTES:
        what = f"the path of its control socket, {path}, has {length} bytes, and a socket's may have"
        raise ConfigError(
            [Problem("[supervisor] run_dir", f"{what} {_MAX_PATH_BYTES}; name a folder with a shorter path")]
        )
    return path


class ControlServer:
    """Answers on the socket from `start` until `close`; no request can block or end the master."""

    def __init__(
        self,
        path: Path,
        handlers: ControlHandlers,
        idle_s: float = _IDLE_S,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._path = path
        self._idle_s = idle_s
        self._most_connections = most_connections
        self._handlers = handlers
        self._app = web.Application(middlewares=[self._note_answering, _as_json_errors])
        self._app.add_routes(handlers.routes())
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._answering: set[object] = set()  # connections whose request is being answered

    async def start(self) -> None:
        """Listen; a socket left by a dead master is replaced. Raises TraptorError."""
        listener = _listen(self._path)
        self._runner = web.AppRunner(
            self._app,
            access_log=None,
            logger=_of_garbage,
            shutdown_timeout=_SHUTDOWN_S,
            keepalive_timeout=self._idle_s,
            lingering_time=self._idle_s,
        )
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._protocol, sock=listener, backlog=_BACKLOG)

    async def close(self) -> None:
        """Stop answering, and remove the socket."""
        self._path.unlink(missing_ok=True)
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self._handlers.close()

    def _protocol(self) -> asyncio.Protocol:
        """Return the protocol for a new connection; when there are too many, the oldest idle one is closed.

        The rest of this process needs descriptors, too.
        """
        assert self._runner is not None
        server = self._runner.server
        if server is None or len(self._answering) >= self._most_connections:
            return _Refusal()
        connections = server.connections
        idle = [connection for connection in connections if connection not in self._answering]
        for connection in idle[: max(0, len(connections) + 1 - self._most_connections)]:
            connection.force_close()
        return server()

    @web.middleware
    async def _note_answering(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._answering.add(request.protocol)
        try:
            return await handler(request)
        finally:
            self._answering.discard(request.protocol)


class _Refusal(asyncio.Protocol):
    """Answers that there are too many connections, and closes this one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(_TOO_MANY)
        with suppress(OSError):  # the request must be read, or closing discards the answer
            os.read(transport.get_extra_info("socket").fileno(), _READ_BYTES)
        transport.close()


# Takes what aiohttp logs about requests that are not HTTP; our own errors are reported by _as_json_errors.
_of_garbage = logging.getLogger(f"{__name__}.garbage")
_of_garbage.setLevel(logging.CRITICAL + 1)


def _listen(path: Path) -> socket.socket:
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
            f"{path}: the control socket cannot be made: {error.strerror}; make room in run_dir, or remove"
            " what stands in its place"
        ) from error
    return listener


@web.middleware
async def _as_json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadQuestionError as error:
        return _error(400, str(error))
    except UnknownError as error:
        return _error(404, str(error))
    except TraptorError as error:
        return _error(503, str(error))
    except web.HTTPNotFound:
        known = sorted({route.resource.canonical for route in request.app.router.routes() if route.resource})
        return _error(404, f"no such path; the paths are {', '.join(known)}")
    except web.HTTPException as error:
        return _error(error.status, error.reason)
    except ConnectionError:
        raise  # the client is gone
    except Exception:
        log.exception("a control request failed")
        return _error(500, "internal error, see supervisor.log")


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
