"""GET /api/rules/stats: what rules brought, as `traptorctl rules stats` shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from traptor.common.config.settings import Settings
from traptor.common.redis.client import blocking_redis_client
from traptor.common.rules.rule import GroupId, RuleType
from traptor.rulekit.changes.holdings import Stored
from traptor.rulekit.figures.reading import read_figures
from traptor.rulekit.figures.report import Order, ordered, reports
from traptor.rulekit.keeping.reading import read_holdings
from traptor.rulekit.service.aside import Aside
from traptor.rulekit.service.validation import bad_request, json_response
from traptor.rulekit.service.where import read_where

_MOST = 1_000
_USUAL = 50
_V2 = "v2"
_PARAMETERS = frozenset({"of", "by", "most"})


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
        if unknown := query.keys() - _PARAMETERS:
            raise bad_request(f"there is no parameter {sorted(unknown)[0]}: expected of, by, most")
        try:
            types, group = read_where(query.get("of", ""))
            order = Order(query.get("by", Order.DAY))
            most = int(query.get("most", _USUAL))
        except ValueError as error:
            raise bad_request(str(error)) from None
        if not 1 <= most <= _MOST:
            raise bad_request(f"most: a number from 1 to {_MOST} is expected")
        return json_response(await self._aside.run(lambda: self._read(types, group, order, most)))

    def _read(
        self, types: list[RuleType], group: GroupId | None, order: Order, most: int
    ) -> list[dict[str, Any]]:
        settings, now = self._settings(), time.time()
        of = settings.redis
        client = blocking_redis_client(of.url, of.timeout, of.ca_file)
        rules: list[Stored] = []
        try:
            for rule_type in types:
                rules += read_holdings(client, rule_type, group).rules
            figures = read_figures(client, sorted({rule.group for rule in rules}), now)
        finally:
            client.close()
        price = settings.twitter.post_price if settings.traptor.api == _V2 else None
        return [one.as_json(now, price) for one in ordered(reports(rules, figures), order, now)[:most]]
