"""GET /2/usage/tweets: the reads of an app as counted by X."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from traptor.sandbox.clock import Clock
from traptor.sandbox.v2.apps.registry import App
from traptor.sandbox.v2.bill import Bill
from traptor.sandbox.v2.endpoints.gate import Call, answer_json
from traptor.sandbox.v2.parameters.paging import check_names, choices, whole_number

_CAP = 3_000_000
_CAP_RESET_DAY = 1
_FIELDS = (
    "cap_reset_day",
    "daily_client_app_usage",
    "daily_project_usage",
    "project_cap",
    "project_id",
    "project_usage",
)
_DEFAULT = "cap_reset_day,project_cap,project_id,project_usage"
_MOST_DAYS = 90
_USUAL_DAYS = 7


class UsageEndpoint:
    """Shows the posts of the bill, by day; counts are strings."""

    def __init__(self, bill: Bill, clock: Clock) -> None:
        self._bill = bill
        self._clock = clock

    async def show(self, request: web.Request, call: Call) -> web.Response:
        """Answer with the usage of the month and of the last days."""
        check_names(request.query, ("days", "usage.fields"))
        days = whole_number(request.query, "days", 1, _MOST_DAYS, _USUAL_DAYS)
        fields = choices(request.query, "usage.fields", _FIELDS, _DEFAULT)
        usage = self._usage(call.app, days)
        return answer_json({"data": {name: usage[name] for name in _FIELDS if name in fields}})

    def _usage(self, app: App, days: int) -> dict[str, Any]:
        now = datetime.fromtimestamp(self._clock().unix, UTC)
        posts = {day.date: day.posts + day.included_posts for day in self._bill.days(app.name)}
        month = sum(count for date, count in posts.items() if date.startswith(f"{now:%Y-%m}"))
        since = f"{now - timedelta(days=days - 1):%Y-%m-%d}"
        daily = [
            {"date": f"{date}T00:00:00.000Z", "usage": str(count)}
            for date, count in posts.items()
            if date >= since
        ]
        return {
            "cap_reset_day": _CAP_RESET_DAY,
            "project_cap": str(_CAP),
            "project_id": app.id,
            "project_usage": str(month),
            "daily_project_usage": {"project_id": app.id, "usage": daily},
            "daily_client_app_usage": [
                {"client_app_id": app.id, "usage_result_count": len(daily), "usage": daily}
            ],
        }
