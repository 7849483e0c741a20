"""The API under /sandbox/v2: shows what the v2 side did, and takes orders."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp import web

from traptor.sandbox.clock import Clock
from traptor.sandbox.errors import BadInput
from traptor.sandbox.faults.waiting import Waiting
from traptor.sandbox.tweets.twitterjson import parse_json
from traptor.sandbox.v2.apps.contracts import Contracts
from traptor.sandbox.v2.apps.registry import App, Apps
from traptor.sandbox.v2.apps.windows import Windows
from traptor.sandbox.v2.bill import Bill
from traptor.sandbox.v2.compliance.gone import GoneIds
from traptor.sandbox.v2.endpoints.gate import answer_json
from traptor.sandbox.v2.endpoints.requestlog import RequestLog
from traptor.sandbox.v2.faults.fault import V2Fault, parse_v2_fault
from traptor.sandbox.v2.people import People
from traptor.sandbox.v2.streams.matches import MatchLog
from traptor.sandbox.v2.streams.slots import Slots
from traptor.sandbox.v2.streams.strikes import V2Strikes

_LINES_AT_ONCE = 1000


class V2Admin:
    """The handlers of the API."""

    def __init__(
        self,
        apps: Apps,
        contracts: Contracts,
        windows: Windows,
        slots: Slots,
        faults: Waiting[V2Fault],
        strikes: V2Strikes,
        matches: MatchLog,
        bill: Bill,
        people: People,
        gone: GoneIds,
        requests: RequestLog,
        clock: Clock,
    ) -> None:
        self._apps = apps
        self._contracts = contracts
        self._windows = windows
        self._slots = slots
        self._faults = faults
        self._strikes = strikes
        self._matches = matches
        self._bill = bill
        self._people = people
        self._gone = gone
        self._requests = requests
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Return all routes of the API."""
        return [
            web.get("/sandbox/v2/apps", self._get_apps),
            web.put("/sandbox/v2/enterprise", self._set_enterprise),
            web.get("/sandbox/v2/filters", self._get_filters),
            web.delete("/sandbox/v2/filters", self._forget_filters),
            web.get("/sandbox/v2/connections", self._get_connections),
            web.get("/sandbox/v2/requests", self._get_requests),
            web.get("/sandbox/v2/matches", self._get_matches),
            web.get("/sandbox/v2/bill", self._get_bill),
            web.post("/sandbox/v2/lines", self._write_line),
            web.post("/sandbox/v2/users", self._tell_of_user),
            web.post("/sandbox/v2/gone", self._tell_of_gone),
            web.get("/sandbox/v2/faults", self._get_faults),
            web.post("/sandbox/v2/faults", self._add_fault),
            web.delete("/sandbox/v2/faults", self._clear_faults),
        ]

    async def _get_apps(self, _request: web.Request) -> web.Response:
        now = self._clock().unix
        return answer_json([self._app(app, now) for app in self._apps.all()])

    def _app(self, app: App, now_unix_s: float) -> dict[str, Any]:
        return {
            "name": app.name,
            "id": app.id,
            "enterprise": self._contracts.of(app.name).is_enterprise,
            "filters": len(app.filters),
            "open_connections": len(self._slots.open(app.name)),
            "slots_taken": len(self._slots.active(app.name)),
            "windows": self._windows.as_json(app.name, now_unix_s),
        }

    async def _set_enterprise(self, request: web.Request) -> web.Response:
        body = await _body(request)
        names = body.get("apps") if isinstance(body, dict) and body.keys() == {"apps"} else None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise BadInput("an object with apps, a list of names, is expected")
        self._contracts.replace(names)
        return answer_json({"enterprise": names})

    async def _get_filters(self, request: web.Request) -> web.Response:
        apps = self._chosen(request)
        return answer_json([{"app": app.name, **one.as_json()} for app in apps for one in app.filters.record])

    async def _forget_filters(self, request: web.Request) -> web.Response:
        now = self._clock()
        return answer_json({"forgotten": sum(app.filters.vanish(now) for app in self._chosen(request))})

    def _chosen(self, request: web.Request) -> list[App]:
        name = request.query.get("app")
        apps = [app for app in self._apps.all() if name in (None, app.name)]
        if name is not None and not apps:
            raise BadInput(f"app: {name!r} is none of {', '.join(app.name for app in self._apps.all())}")
        return apps

    async def _get_connections(self, _request: web.Request) -> web.Response:
        return answer_json([record.as_json() for record in self._slots.records])

    async def _get_requests(self, _request: web.Request) -> web.Response:
        return answer_json([record.as_json() for record in self._requests.records])

    async def _get_matches(self, request: web.Request) -> web.StreamResponse:
        since = request.query.get("since", "0")
        if not since.isdecimal():
            raise BadInput("since: the number `n` of a match is expected")
        matches = self._matches.since(int(since))
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for start in range(0, len(matches), _LINES_AT_ONCE):
            slice_ = matches[start : start + _LINES_AT_ONCE]
            await response.write(b"".join(orjson.dumps(match.as_json()) + b"\n" for match in slice_))
            await asyncio.sleep(0)  # the streams continue meanwhile
        return response

    async def _get_bill(self, _request: web.Request) -> web.Response:
        return answer_json(self._bill.as_json())

    async def _tell_of_user(self, request: web.Request) -> web.Response:
        return answer_json(self._people.tell(await _body(request)))

    async def _tell_of_gone(self, request: web.Request) -> web.Response:
        return answer_json(self._gone.tell(await _body(request)))

    async def _write_line(self, request: web.Request) -> web.Response:
        body = await _body(request)
        if not isinstance(body, dict) or body.keys() - {"line", "app"} or "line" not in body:
            raise BadInput("an object with line, app is expected")
        line = body["line"]
        data = line.encode("utf-8", "replace") if isinstance(line, str) else orjson.dumps(line)
        streams = self._slots.open(body.get("app"))
        self._strikes.write(streams, [data + b"\r\n"])
        return answer_json({"written_to": [stream.record.id for stream in streams]})

    async def _get_faults(self, _request: web.Request) -> web.Response:
        now = self._clock().mono
        silent = [stream.record.id for stream in self._slots.open() if stream.is_stalled(now)]
        waiting = [fault.as_json() for fault in self._faults.waiting(now)]
        return answer_json({"faults": waiting, "stalled_connections": silent})

    async def _add_fault(self, request: web.Request) -> web.Response:
        fault = parse_v2_fault(await _body(request))
        return answer_json({**fault.as_json(), "struck": self._strikes.ask(fault)})

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._strikes.clear(request.query.get("app"))
        return answer_json({"faults": []})


async def _body(request: web.Request) -> Any:
    try:
        return parse_json(await request.read())
    except BadInput as problem:
        raise BadInput(f"the body is {problem}") from None
