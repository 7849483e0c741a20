"""The common part of all endpoints: authentication, rate limits, faults, and problem responses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import orjson
from aiohttp import hdrs, web

from traptor.sandbox.clock import Clock
from traptor.sandbox.faults.waiting import Waiting
from traptor.sandbox.v2.apps.registry import App, Apps
from traptor.sandbox.v2.apps.windows import Endpoint, Windows
from traptor.sandbox.v2.endpoints.requestlog import RequestLog, RequestRecord
from traptor.sandbox.v2.faults.fault import V2Fault
from traptor.sandbox.v2.faults.kinds import V2FaultKind
from traptor.sandbox.v2.fields import InvalidRequest
from traptor.sandbox.v2.problems import Problem, Spelling

_NOBODY = ""


@dataclass(slots=True)
class Call:
    """One admitted request: its app, its record, and the headers of its response."""

    app: App
    record: RequestRecord
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[web.Request, Call], Awaitable[web.StreamResponse]]
AioHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gate:
    """Stands before every endpoint that requires a bearer token."""

    def __init__(
        self, apps: Apps, windows: Windows, faults: Waiting[V2Fault], spelling: Spelling, clock: Clock
    ) -> None:
        self._apps = apps
        self._windows = windows
        self._faults = faults
        self._spelling = spelling
        self._clock = clock
        self.log = RequestLog()

    def guard(self, endpoint: Endpoint, handler: Handler) -> AioHandler:
        """Return the handler as aiohttp calls it."""

        async def handle(request: web.Request) -> web.StreamResponse:
            record = self._note(request, endpoint)
            headers = self._windows.headers(_NOBODY, endpoint, self._clock().unix)
            try:
                call = await self._admit(request, endpoint, record, headers)
                response = await handler(request, call)
                self._lose(call, endpoint)
            except Problem as problem:
                return await self._answer(request, record, problem, headers)
            except InvalidRequest as invalid:
                return await self._answer(request, record, Problem(400, invalid.problem()), headers)
            if not response.prepared:
                response.headers.update(headers)
            record.status = response.status
            return response

        return handle

    def open(self, endpoint: Endpoint, handler: AioHandler) -> AioHandler:
        """Return a handler that requires no token; faults without an app apply to it."""

        async def handle(request: web.Request) -> web.StreamResponse:
            record = self._note(request, endpoint)
            headers = self._windows.headers(_NOBODY, endpoint, self._clock().unix)
            try:
                await self._meet_faults(_NOBODY, endpoint)
                response = await handler(request)
            except Problem as problem:
                return await self._answer(request, record, problem, headers)
            response.headers.update(headers)
            record.status = response.status
            return response

        return handle

    def _note(self, request: web.Request, endpoint: Endpoint) -> RequestRecord:
        return self.log.start(self._clock(), peer_of(request), request.method, request.path_qs, endpoint)

    async def _admit(
        self, request: web.Request, endpoint: Endpoint, record: RequestRecord, headers: dict[str, str]
    ) -> Call:
        app = self._apps.authenticate(request.headers.get(hdrs.AUTHORIZATION, ""))
        record.app = app.name
        now = self._clock()
        try:
            self._windows.spend(app.name, endpoint, now.unix)
        finally:
            headers.update(self._windows.headers(app.name, endpoint, now.unix))
            self._replace_headers(app.name, endpoint, headers)
        await self._meet_faults(app.name, endpoint)
        return Call(app, record, headers)

    async def _meet_faults(self, app: str, endpoint: Endpoint) -> None:
        for fault in self._take(app, endpoint, V2FaultKind.SLOW_START):
            await asyncio.sleep(fault.after)
        for fault in self._take(app, endpoint, V2FaultKind.STATUS):
            answer = fault.answer()
            answer.text_after_s = fault.after
            raise answer

    def _replace_headers(self, app: str, endpoint: Endpoint, headers: dict[str, str]) -> None:
        for fault in self._take(app, endpoint, V2FaultKind.HEADERS):
            for name, text in fault.headers.items():
                if text is None:
                    headers.pop(name, None)
                else:
                    headers[name] = text

    def _lose(self, call: Call, endpoint: Endpoint) -> None:
        for fault in self._take(call.app.name, endpoint, V2FaultKind.LOST_ANSWER):
            raise fault.answer()

    def _take(self, app: str, endpoint: Endpoint, kind: V2FaultKind) -> list[V2Fault]:
        return self._faults.take_if(
            app, self._clock().mono, lambda fault: fault.kind is kind and fault.is_at(endpoint), most=1
        )

    async def _answer(
        self, request: web.Request, record: RequestRecord, problem: Problem, headers: dict[str, str]
    ) -> web.StreamResponse:
        record.status, record.problem = problem.status, problem.name
        body = orjson.dumps(self._spelling.spell(problem.body))
        headers = {**headers, **problem.headers, hdrs.CONTENT_TYPE: "application/problem+json"}
        if not problem.text_after_s:
            return web.Response(status=problem.status, body=body, headers=headers)
        response = web.StreamResponse(status=problem.status, headers=headers)
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[:1])
        await asyncio.sleep(problem.text_after_s)
        await response.write(body[1:])
        return response


def answer_json(content: object, status: int = 200) -> web.Response:
    """Return a response whose body is JSON."""
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")


def peer_of(request: web.Request) -> tuple[str, int]:
    """Return the address that a request came from."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return (peer[0], peer[1]) if peer else ("", 0)
