"""X's own count of what an app's project read, asked once an hour and shown beside ours."""

from __future__ import annotations

import logging

from traptor.common.logs.event import fields
from traptor.supervisor.apps.cost.spending import Spending
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.xapi.answers import Usage
from traptor.supervisor.xapi.client import XClient
from traptor.supervisor.xapi.failures import XFailure

log = logging.getLogger(__name__)


class UsageWatch:
    """Asks for the usage of one app, and keeps the last answer. Nothing depends on X giving one."""

    def __init__(self, name: str, interval_s: float) -> None:
        self._name = name
        self._interval_s = interval_s
        self.due = 0.0  # monotonic seconds
        self.last: Usage | None = None
        self.ours = 0  # what we had counted in the month when it came
        self.at: float | None = None  # Unix time

    async def look(self, client: XClient, spending: Spending, now: Instant) -> None:
        """Ask where it is time; what X says of the month's first day is taken over."""
        if now.mono < self.due:
            return
        self.due = now.mono + self._interval_s
        try:
            usage = await client.usage()
        except XFailure as failure:
            log.info("usage not told", extra=fields(key=self._name, error=str(failure)))
            return
        if usage.cap_reset_day is not None:
            spending.resetting_on(usage.cap_reset_day, now.wall)
        self.last, self.at = usage, now.wall
        self.ours = spending.account.at(now.wall).month.billed_posts
        log.info(
            "usage",
            extra=fields(
                key=self._name, posts=usage.project_usage, cap=usage.project_cap, counted_here=self.ours
            ),
        )
