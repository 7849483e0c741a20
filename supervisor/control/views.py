"""Answer requests for the present state: the whole status, or a part of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from aiohttp import web

from traptor.supervisor.control.refusals import DESCRIPTION_PATH
from traptor.supervisor.metrics.exposition import CONTENT_TYPE, Exposition
from traptor.supervisor.status.readiness import unreadiness

Json = dict[str, Any]

_PARTS = ("problems", "connections", "keys")


class Views:
    """The endpoints that show the status; `status` returns status.json's content, at most a second old."""

    def __init__(self, status: Callable[[], Json]) -> None:
        self._status = status
        self._exposition = Exposition()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        parts = [web.get(f"/api/{part}", self._part(part)) for part in _PARTS]
        return [
            web.get("/api/status", self._get_status),
            web.get("/status", self._get_status),
            web.get(DESCRIPTION_PATH, self._get_description),
            web.get("/healthz", _get_health),
            web.get("/metrics", self._get_metrics),
            web.get("/readyz", self._get_readiness),
            *parts,
        ]

    async def _get_status(self, _request: web.Request) -> web.StreamResponse:
        return answer(self._status())

    async def _get_metrics(self, _request: web.Request) -> web.StreamResponse:
        """Answer in the loop: on busy cores, a thread for it would wait longer than the text takes."""
        headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
        return web.Response(body=self._exposition.text(self._status()), headers=headers)

    async def _get_readiness(self, _request: web.Request) -> web.StreamResponse:
        """Answer 503, and why, until the first stream, and while nothing is collected that should be."""
        status = self._status()
        reasons = list(unreadiness(status))
        why = [*reasons, *(one["sentence"] for one in status["problems"] if one["beneath"] is None)]
        content = {"ready": not reasons, "health": status["health"], "why": why}
        return answer(content, 503 if reasons else 200)

    def _part(self, name: str) -> Callable[[web.Request], Any]:
        async def get_part(_request: web.Request) -> web.StreamResponse:
            return answer(self._status()[name])

        return get_part

    async def _get_description(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(body=description(), content_type="application/yaml", charset="utf-8")


@cache
def description() -> bytes:
    """Return the OpenAPI description of all endpoints, in YAML."""
    return files("traptor.supervisor.control").joinpath("openapi.yaml").read_bytes()


async def _get_health(_request: web.Request) -> web.StreamResponse:
    """Answer at all: that shows that the master's loop runs."""
    return answer({"alive": True})


def answer(content: object, status: int = 200) -> web.Response:
    """Return a JSON response that nobody keeps for later."""
    body, headers = orjson.dumps(content), {"Cache-Control": "no-store"}
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
