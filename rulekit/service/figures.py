"""GET /api/rules/stats: what rules brought, as `traptorctl rules stats` shows it."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web

from traptor.common.config.settings import Settings
from traptor.common.redis.client import blocking_redis_client
from traptor.common.rules.rule import GroupId, RuleType
from traptor.rulekit.changes.holdings import Stored
from traptor.rulekit.figures.reading import read_figures
from traptor.rulekit.figures.report import Order, RuleReport, ordered, reports
from traptor.rulekit.keeping.reading import read_holdings
from traptor.rulekit.service.aside import Aside
from traptor.rulekit.service.validation import COUNT, bad_request, json_response
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
        wanted, now = query.get("rule", ""), time.time()

        def read() -> list[RuleReport]:
            found = self._read(types, group, now)
            if wanted:
                found = [one for one in found if wanted in (one.rule.key, one.rule.rule_id)]
            return ordered(found, order, now)

        found = await self._aside.run(read)
        price = self._price()
        response = json_response([one.as_json(now, price) for one in found[:most]])
        response.headers[COUNT] = str(len(found))
        return response

    def _price(self) -> float | None:
        """Return the price of a post, where posts cost something."""
        settings = self._settings()
        return settings.twitter.post_price if settings.traptor.api == _V2 else None

    def _read(self, types: list[RuleType], group: GroupId | None, now: float) -> list[RuleReport]:
        settings = self._settings()
        of = settings.redis
        client = blocking_redis_client(of.url, of.timeout, of.ca_file)
        rules: list[Stored] = []
        try:
            for rule_type in types:
                rules += read_holdings(client, rule_type, group).rules
            figures = read_figures(client, sorted({rule.group for rule in rules}), now)
        finally:
            client.close()
        return reports(rules, figures)


def _order(text: str) -> Order:
    if text not in set(Order):
        raise ValueError(f"by: one of {', '.join(Order)} is expected")
    return Order(text)
