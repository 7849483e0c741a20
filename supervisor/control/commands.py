"""Answer requests that order something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from traptor.supervisor.control.refusals import Refused
from traptor.supervisor.control.views import answer
from traptor.supervisor.orders.desk import Desk

Json = dict[str, Any]


class ReloadOrder(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request for a reload."""

    accept_empty: bool = False


class Commands:
    """The endpoints of orders, and of what a reload would change."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        connections, keys = self._desk.connections, self._desk.keys
        return [
            web.get("/api/plan", self._get_plan),
            web.post("/api/reload", self._reload),
            web.post("/api/connections/{name}/restart", _order(connections.restart)),
            web.post("/api/connections/{name}/stop", _order(connections.stop)),
            web.post("/api/connections/{name}/start", _order(connections.start)),
            web.post("/api/keys/{name}/release", _order(keys.release)),
            web.post("/api/keys/{name}/test", self._test_key),
        ]

    async def _get_plan(self, _request: web.Request) -> web.StreamResponse:
        return answer(self._desk.foresee())

    async def _reload(self, request: web.Request) -> web.StreamResponse:
        order = _body(await request.read())
        outcome = await self._desk.reload(order.accept_empty)
        if outcome["refused"]:
            raise Refused(409, "the reload is refused, nothing was changed", outcome["refused"])
        return answer(outcome)

    async def _test_key(self, request: web.Request) -> web.StreamResponse:
        return answer(await self._desk.keys.test(request.match_info["name"]))


def _order(deed: Callable[[str], Json]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def carry_out(request: web.Request) -> web.StreamResponse:
        return answer(deed(request.match_info["name"]), 202)

    return carry_out


def _body(data: bytes) -> ReloadOrder:
    try:
        return msgspec.json.decode(data, type=ReloadOrder) if data else ReloadOrder()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused(400, 'the body may only be {"accept_empty": true} or {"accept_empty": false}') from None
