"""POST /api/rules/validate: one value or up to 1,000, without a question to X."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from aiohttp import web

from traptor.common.rules.rule import Limits
from traptor.common.text import one_line
from traptor.rulekit.validation.judge import MOST_TOGETHER, Verdict, judge_item

PATH = "/api/rules/validate"

Outlook = Callable[[Verdict], Mapping[str, Any]]
"""Return what a valid value becomes with API v2, and what it would have matched of late."""


def no_outlook(_verdict: Verdict) -> Mapping[str, Any]:
    """Add nothing."""
    return {}


class Validation:
    """Answers whether values can be rules; `limits` returns the present limits."""

    def __init__(self, limits: Callable[[], Limits], outlook: Outlook = no_outlook) -> None:
        self._limits = limits
        self._outlook = outlook

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        return [web.post(PATH, self._validate)]

    async def _validate(self, request: web.Request) -> web.Response:
        body = await read_json(request)
        items = body if isinstance(body, list) else [body]
        if len(items) > MOST_TOGETHER:
            raise bad_request(f"{len(items)} values; at most {MOST_TOGETHER} are judged at once")
        try:
            told = [self._told(item) for item in items]
        except ValueError as error:
            raise bad_request(str(error)) from None
        return json_response(told if isinstance(body, list) else told[0])

    def _told(self, item: object) -> dict[str, Any]:
        verdict = judge_item(item, self._limits())
        more = self._outlook(verdict) if verdict.is_valid and verdict.value else {}
        return {**verdict.as_json(), **more}


async def read_json(request: web.Request) -> Any:
    """Return the body. Raises HTTPBadRequest."""
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON: {error.msg} (column {error.colno})") from None


def bad_request(reason: str) -> web.HTTPBadRequest:
    """Return the refusal of a request, with its reason."""
    return web.HTTPBadRequest(reason=one_line(reason)[:500])


def json_response(content: object, status: int = 200) -> web.Response:
    """Return a JSON response that nobody keeps for later."""
    headers = {"Cache-Control": "no-store"}
    body = orjson.dumps(content, default=str)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
