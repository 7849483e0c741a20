"""POST /api/rules/validate: one value or up to 1,000, without a question to X.

With `?seen=yes` it tells how many recent tweets each would have matched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from traptor.common.rules.rule import Limits
from traptor.common.text import one_line
from traptor.rulekit.service.aside import Aside
from traptor.rulekit.validation.judge import MOST_TOGETHER, Verdict, judge_item

PATH = "/api/rules/validate"
_FEW = 5

COUNT = "X-Total-Count"
"""The header that tells how many there are in all, where an answer holds the first ones."""

Outlook = Callable[[Verdict], Mapping[str, Any]]
"""Return what a valid value becomes with API v2, and what it would have matched of late."""


Seen = Callable[[Sequence[Verdict]], tuple[int, Sequence[int]]]
"""Return how many recent tweets there are, and how many of them each of the values matches. It may block."""


def no_outlook(_verdict: Verdict) -> Mapping[str, Any]:
    """Add nothing."""
    return {}


def nothing_seen(verdicts: Sequence[Verdict]) -> tuple[int, Sequence[int]]:
    """Know no recent tweets."""
    return 0, [0] * len(verdicts)


class Validation:
    """Answers whether values can be rules; `limits` returns the present limits."""

    def __init__(
        self,
        limits: Callable[[], Limits],
        outlook: Outlook = no_outlook,
        seen: Seen = nothing_seen,
        aside: Aside | None = None,
    ) -> None:
        self._limits = limits
        self._outlook = outlook
        self._seen = seen
        self._aside = aside or Aside()
        self._judging = Aside()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        return [web.post(PATH, self._validate)]

    async def _validate(self, request: web.Request) -> web.Response:
        body = await read_json(request)
        items = body if isinstance(body, list) else [body]
        if len(items) > MOST_TOGETHER:
            raise bad_request(f"{len(items)} values; at most {MOST_TOGETHER} are judged at once")
        try:
            # Many are judged beside the loop, which has workers to serve; few take less time than a thread.
            judged = (
                self._judged(items)
                if len(items) <= _FEW
                else await self._judging.run(lambda: self._judged(items))
            )
        except ValueError as error:
            raise bad_request(str(error)) from None
        verdicts = [verdict for verdict, _ in judged]
        told = [found for _, found in judged]
        if request.query.get("seen") == "yes":
            await self._add_seen(verdicts, told)
        return json_response(told if isinstance(body, list) else told[0])

    def _judged(self, items: Sequence[object]) -> list[tuple[Verdict, dict[str, Any]]]:
        """Return the verdict on each, and what the answer tells of it. Raises ValueError."""
        limits = self._limits()
        return [(verdict, self._told(verdict)) for verdict in [judge_item(item, limits) for item in items]]

    def _told(self, verdict: Verdict) -> dict[str, Any]:
        return {**verdict.as_json(), **(self._outlook(verdict) if _is_rule(verdict) else {})}

    async def _add_seen(self, verdicts: Sequence[Verdict], told: Sequence[dict[str, Any]]) -> None:
        """Add how many recent tweets each valid value matches."""
        places = [place for place, verdict in enumerate(verdicts) if _is_rule(verdict)]
        tweets, counts = await self._aside.run(lambda: self._seen([verdicts[place] for place in places]))
        for place, count in zip(places, counts, strict=True):
            told[place]["seen"] = {"tweets": tweets, "matched": count}


def _is_rule(verdict: Verdict) -> bool:
    """Tell whether a rule could have the value as it is; a user name needs its id first."""
    return verdict.is_valid and bool(verdict.value)


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
    return encoded_response(encoded(content), status)


def encoded(content: object) -> bytes:
    """Return the body of a JSON response; of a long one it is made in a thread."""
    return orjson.dumps(content, default=str)


def encoded_response(body: bytes, status: int = 200) -> web.Response:
    """Return a JSON response with this body."""
    headers = {"Cache-Control": "no-store"}
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
