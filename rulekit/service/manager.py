"""The original's Manager API: `/v1.0/validate` and `/v1.0/screen_name`, for programs that ask it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from traptor.common.errors import TraptorError
from traptor.common.rules.rule import Limits
from traptor.rulekit.service.validation import json_response, read_json
from traptor.rulekit.validation.judge import judge
from traptor.rulekit.validation.kinds import ValueKind
from traptor.rulekit.validation.legacy import answered, bad_request, geo_result, problem_of

_NAMES_OF_ID = ("userid", "user_id", "value")


class Asks(Protocol):
    """Answers what the original asked Twitter."""

    async def id_of(self, name: str) -> str:
        """Return the id of the account. Raises TraptorError."""

    async def name_of(self, user_id: str) -> str:
        """Return the name of the account. Raises TraptorError."""

    async def tweets_a_second(self, values: tuple[str, ...]) -> float:
        """Return how many posts these phrases find. Raises TraptorError."""


class Manager:
    """Answers in the original's shapes: 500 for a value that it did not like."""

    def __init__(self, limits: Callable[[], Limits], asks: Asks) -> None:
        self._limits = limits
        self._asks = asks

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        return [
            web.post("/v1.0/validate", self._validate),
            web.post("/v1.0/screen_name", self._screen_name),
        ]

    async def _validate(self, request: web.Request) -> web.Response:
        rule = await read_json(request)
        if problem := problem_of(rule):
            return json_response(*bad_request(problem))
        kind = ValueKind(rule["type"])
        if kind is ValueKind.GEO:
            value, result = geo_result(rule["value"])
            return json_response(*answered({**rule, "value": value}, result))
        return json_response(*answered(rule, await self._result(kind, rule["value"])))

    async def _result(self, kind: ValueKind, value: object) -> Mapping[str, Any]:
        verdict = judge(kind, value, self._limits())
        try:
            if not verdict.is_valid:
                return {"status": "error", "error": verdict.reason}
            if kind is ValueKind.USERNAME:
                return {"userid": await self._asks.id_of(verdict.username), "status": "ok"}
            rate = await self._asks.tweets_a_second(verdict.values)
        except TraptorError as error:
            return {"error": str(error), "status": "error"}
        return {"tweets_per_second": rate, "status": "ok"}

    async def _screen_name(self, request: web.Request) -> web.Response:
        asked = await read_json(request)
        user_id = _id_in(asked)
        if not user_id:
            return json_response(*bad_request("'userid' is a required property"))
        verdict = judge(ValueKind.USERID, user_id, self._limits())
        if not verdict.is_valid or len(verdict.values) != 1:
            error = verdict.reason or "one id is expected"
            return json_response(*answered(asked, {"status": "error", "error": error}))
        try:
            result = {"screen_name": await self._asks.name_of(verdict.values[0]), "status": "ok"}
        except TraptorError as error:
            result = {"error": str(error), "status": "error"}
        return json_response(*answered(asked, result))


def _id_in(asked: object) -> str:
    if not isinstance(asked, Mapping):
        return ""
    return next((str(asked[name]) for name in _NAMES_OF_ID if name in asked), "")
