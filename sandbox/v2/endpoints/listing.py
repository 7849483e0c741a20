"""GET /2/tweets/search/stream/rules and .../rules/counts."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from traptor.sandbox.clock import Clock
from traptor.sandbox.v2 import problems
from traptor.sandbox.v2.apps.contracts import Contracts
from traptor.sandbox.v2.apps.registry import App
from traptor.sandbox.v2.endpoints.gate import Call, answer_json
from traptor.sandbox.v2.parameters.moments import iso
from traptor.sandbox.v2.parameters.paging import check_names, choices, page, whole_number

_PAGE = 1000
_MOST_IDS = 1000
_LIST_PARAMETERS = ("ids", "max_results", "pagination_token")
_COUNT_FIELDS = (
    "all_project_client_apps",
    "cap_per_client_app",
    "cap_per_project",
    "client_app_rules_count",
    "project_rules_count",
)


class RuleListing:
    """Shows an app's filters."""

    def __init__(self, contracts: Contracts, clock: Clock) -> None:
        self._contracts = contracts
        self._clock = clock

    async def list(self, request: web.Request, call: Call) -> web.Response:
        """Answer with a page of the filters, or with those of the given ids."""
        check_names(request.query, _LIST_PARAMETERS)
        size = whole_number(request.query, "max_results", 1, _PAGE, _PAGE)
        filters = [one.as_listed() for one in call.app.filters.listed()]
        if wanted := _ids(request.query.get("ids")):
            filters = [one for one in filters if one["id"] in wanted]
        shown, next_token = page(filters, request.query, size)
        meta: dict[str, Any] = {"sent": iso(self._clock().unix), "result_count": len(shown)}
        if next_token is not None:
            meta["next_token"] = next_token
        return answer_json(({"data": shown} if shown else {}) | {"meta": meta})

    async def count(self, request: web.Request, call: Call) -> web.Response:
        """Answer with caps and counts."""
        check_names(request.query, ("rules_count.fields",))
        fields = choices(request.query, "rules_count.fields", _COUNT_FIELDS, ",".join(_COUNT_FIELDS))
        counts = self._counts(call.app)
        return answer_json({"data": {name: counts[name] for name in _COUNT_FIELDS if name in fields}})

    def _counts(self, app: App) -> dict[str, Any]:
        cap = str(self._contracts.of(app.name).rules)
        count = {"client_app_id": app.id, "rule_count": len(app.filters)}
        return {
            "cap_per_client_app": cap,
            "cap_per_project": cap,
            "project_rules_count": str(len(app.filters)),
            "client_app_rules_count": count,
            "all_project_client_apps": [count],
        }


def _ids(text: str | None) -> set[str]:
    ids = {one.strip() for one in (text or "").split(",")} - {""}
    odd = next((one for one in ids if not (one.isascii() and one.isdecimal())), None)
    if odd is not None:
        raise problems.invalid_request(
            f"The `ids` query parameter value [{odd}] is not valid", {"ids": [odd]}
        )
    if len(ids) > _MOST_IDS:
        raise problems.invalid_request(
            f"size of `ids` is not between 1 and {_MOST_IDS}", {"ids": [str(len(ids))]}
        )
    return ids
