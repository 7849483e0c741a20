"""GET /api/rules/stats: what rules brought, as `traptorctl rules stats` shows it."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web

from traptor.common.config.settings import Settings
from traptor.common.redis.client import blocking_redis_client
from traptor.rulekit.figures.report import Order
from traptor.rulekit.figures.survey import Scope, survey
from traptor.rulekit.service.aside import Aside
from traptor.rulekit.service.validation import COUNT, bad_request, encoded, encoded_response
from traptor.rulekit.service.where import read_where

_MOST = 1_000
_USUAL = 50
_V2 = "v2"
_PARAMETERS = ("of", "by", "most", "rule")


class Figures:
    """Answers what rules brought; `settings` returns those in force. Redis is read in a thread."""

    def __init__(self, settings: Callable[[], Settings], aside: Aside) -> None:
        self._settings = settings
        self._aside = aside

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        return [web.get("/api/rules/stats", self._get_stats)]

    async def _get_stats(self, request: web.Request) -> web.Response:
        query = request.query
        if unknown := query.keys() - set(_PARAMETERS):
            expected = ", ".join(_PARAMETERS)
            raise bad_request(f"there is no parameter {sorted(unknown)[0]}: expected {expected}")
        try:
            types, group = read_where(query.get("of", ""))
            order = _order(query.get("by", Order.DAY))
            most = int(query.get("most", _USUAL))
        except ValueError as error:
            raise bad_request(str(error)) from None
        if not 1 <= most <= _MOST:
            raise bad_request(f"most: a number from 1 to {_MOST} is expected")
        name, now = query.get("rule", ""), time.time()
        scope = Scope(types, group, lambda rule: not name or name in (rule.key, rule.rule_id))
        told, count = await self._aside.run(lambda: self._told(scope, order, most, now))
        response = encoded_response(told)
        response.headers[COUNT] = str(count)
        return response

    def _price(self) -> float | None:
        """Return the price of a post, where posts cost something."""
        settings = self._settings()
        return settings.twitter.post_price if settings.traptor.api == _V2 else None

    def _told(self, scope: Scope, order: Order, most: int, now: float) -> tuple[bytes, int]:
        """Return the first rules of the order in JSON, and how many have a place in it."""
        of, price = self._settings().redis, self._price()
        client = blocking_redis_client(of.url, of.timeout, of.ca_file)
        try:
            found = survey(client, scope, order, most, now)
        finally:
            client.close()
        return encoded([one.as_json(now, price) for one in found.reports]), found.count


def _order(text: str) -> Order:
    if text not in set(Order):
        raise ValueError(f"by: one of {', '.join(Order)} is expected")
    return Order(text)
