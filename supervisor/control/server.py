"""Serve the API in the master's event loop: on the control socket, and over TCP if `[http] listen` is set."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from aiohttp import web

from traptor.common.config.sections.http import HttpSection
from traptor.common.errors import TraptorError
from traptor.common.logs.event import fields
from traptor.rulekit.service.author import note_author
from traptor.rulekit.service.validation import PATH as VALIDATE_PATH
from traptor.supervisor.control.access import READS, RemoteRequest, denial, holder
from traptor.supervisor.control.doors import MOST_CONNECTIONS, Door, is_local, listen_at, peer_name
from traptor.supervisor.control.refusals import MOST_BODY_BYTES, Handler, as_problem_details, refusal

log = logging.getLogger(__name__)

_SHUTDOWN_S = 1.0
_BACKLOG = 32
_IDLE_S = 10.0  # a connection whose request is incomplete by then is closed
_PRIVATE = ("/sample", "/tail", "/api/rules/tweets")  # endpoints whose answers contain tweets


class ControlServer:
    """Answers from `start` until `close`; no request can block or end the master.

    `http` returns the present options of the API over TCP.
    """

    def __init__(
        self,
        path: Path,
        routes: Iterable[web.AbstractRouteDef],
        http: Callable[[], HttpSection],
        idle_s: float = _IDLE_S,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._path = path
        self._http = http
        self._idle_s = idle_s
        self._most = most_connections
        self._app = web.Application(
            middlewares=[as_problem_details, self._admit, self._answer_whole],
            client_max_size=MOST_BODY_BYTES,
        )
        self._app.add_routes(routes)
        self._runner: web.AppRunner | None = None
        self._listening: list[asyncio.Server] = []
        self._answering: set[object] = set()  # connections whose request is being answered

    async def start(self) -> None:
        """Listen on the control socket. Raises TraptorError."""
        listener = listen_at(self._path)
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
        door = self._door(local=True)
        self._listening.append(await loop.create_unix_server(door.protocol, sock=listener, backlog=_BACKLOG))

    async def serve_tcp(self) -> None:
        """Listen on `[http] listen` until cancelled. Raises TraptorError when the address is taken."""
        address = self._http().address
        if address is not None:
            host, port = address
            try:
                server = await asyncio.get_running_loop().create_server(
                    self._door(local=False).protocol, host, port, backlog=_BACKLOG
                )
            except OSError as error:
                what = error.strerror or str(error)
                raise TraptorError(f"[http] listen: {host}:{port} cannot be listened on: {what}") from error
            self._listening.append(server)
            log.info("the API listens", extra=fields(address=f"{host}:{port}"))
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Stop answering, and remove the socket."""
        self._path.unlink(missing_ok=True)
        for server in self._listening:
            server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _door(self, *, local: bool) -> Door:
        return Door(
            local=local,
            most=self._most,
            server=lambda: self._runner.server if self._runner is not None else None,
            answering=self._answering,
        )

    @web.middleware
    async def _answer_whole(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Wait for the whole request, not for ever; only then is its connection one that cannot be closed."""
        try:
            async with asyncio.timeout(self._idle_s):
                await request.read()
        except TimeoutError:
            return refusal(408, f"the request was not whole within {self._idle_s:g} s")
        except web.RequestPayloadError:
            return refusal(400, "the body of the request cannot be read")
        self._answering.add(request.protocol)
        try:
            return await handler(request)
        finally:
            self._answering.discard(request.protocol)

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what a request over TCP may not do, and note who asks for a change."""
        if is_local(request.transport):
            if request.method not in READS:
                note_author(request, peer_name(request.transport))
            return await handler(request)
        options, headers = self._http(), request.headers
        names = options.names_by_token
        # To be told that a path is not there, or has other methods, needs no token.
        changes_nothing = request.match_info.http_exception is not None or request.path_qs == VALIDATE_PATH
        asked = RemoteRequest(
            method="GET" if changes_nothing else request.method,
            is_private=request.path.endswith(_PRIVATE),
            host=headers.get("Host", ""),
            origin=headers.get("Origin"),
            authorization=headers.get("Authorization", ""),
        )
        denied = denial(asked, names, options.hosts)
        if denied is not None:
            return refusal(denied.status, denied.detail)
        if (name := holder(asked.authorization, names)) is not None:
            note_author(request, name)
        return await handler(request)


# Takes what aiohttp logs about requests that are not HTTP; our own errors are reported as problem details.
_of_garbage = logging.getLogger(f"{__name__}.garbage")
_of_garbage.setLevel(logging.CRITICAL + 1)
