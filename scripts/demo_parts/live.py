"""The story of API v2: one app, one connection, rules that change over it, and a bill that agrees."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from trial.accounts import Options, make_accounts
from trial.servers import Servers
from trial.view import AppView, View

from demo_parts.bill import Bill, BillSummary
from demo_parts.story import Ending

_EFFECT_S = "5"  # X takes some 20 s until a filter acts; nobody wants to look at that for so long


@dataclass(frozen=True, slots=True)
class _Change:
    """How it was when rules changed."""

    at: float  # Unix seconds
    pid: int | None
    connects: int


class LiveFilters:
    """Notes the app's filters, its worker and its connects, before and after each change."""

    api = "v2"
    awaited = "the changed filters to act"

    def __init__(self) -> None:
        self.accounts = make_accounts(1)
        self._app = self.accounts[0]["name"]
        self.connections = frozenset({f"v2:{self._app}"})
        self._change: _Change | None = None
        self._changes: list[str] = []
        self._failures: list[str] = []

    @property
    def is_changing(self) -> bool:
        """Whether filters are still to act."""
        return self._change is not None

    def sandbox_options(self) -> tuple[str, ...]:
        """Return how soon filters act."""
        return ("--v2-effect", _EFFECT_S)

    def sections(self, url: str) -> Options:
        """Return the API, and where it is."""
        return {"traptor": {"api": self.api}, "twitter": {"api_url": url}}

    def collects(self, view: View) -> bool:
        """Tell whether the connection streams and every rule is in effect."""
        return set(view.pids()) == self.connections and all(app.is_settled for app in view.apps)

    def begin(self, servers: Servers) -> None:
        """Remember whom to ask."""
        self._servers = servers

    def change(self, view: View) -> None:
        """Note the worker that serves now."""
        self._change = _Change(time.time(), self._pid(view), self._connects())

    def look(self, view: View) -> Iterable[str]:
        """Yield what changed at X, once it acts."""
        change, app = self._change, _app(view)
        if change is None or app is None or not app.is_settled:
            return
        listed = self._servers.sandbox.v2.filters(self._app)
        added = [one for one in listed if one["added_at"] >= change.at]
        if not added or any(one["in_effect_at"] > time.time() for one in added):
            return
        deleted = [one for one in listed if (one["deleted_at"] or 0.0) >= change.at]
        self._change = None
        pid, connects = self._pid(view), self._connects()
        text = f"filters changed live: {len(added)} added, {len(deleted)} deleted;"
        if (pid, connects) == (change.pid, change.connects):
            self._changes.append(f"{text} the same pid {pid}, the same connection")
        else:
            self._changes.append(
                f"{text} pid {change.pid} -> {pid}, {connects - change.connects} more connects"
            )
            self._failures.append("a change of rules replaced the worker or opened another connection")
        yield self._changes[-1]

    def failures(self) -> Iterable[str]:
        """Yield the changes that were not live."""
        return self._failures

    def all_read(self, view: View) -> bool:
        """Tell whether everything that was sent is received, delivered and counted."""
        bill, app = self._bill(), _app(view)
        delivered = all(c.received >= bill.lines and c.delivered >= c.received for c in view.connections)
        return delivered and app is not None and app.posts >= bill.posts

    def end(self, ending: Ending) -> BillSummary:
        """Account for every post that matched a filter, and for every dollar."""
        matched = Counter(
            match["id"] for match in ending.servers.sandbox.v2.matches() if match["connections"]
        )
        written: Counter[str] = sum(ending.output.written().values(), Counter())
        return BillSummary(
            sent=matched,
            written=written,
            bill=self._bill(),
            app=_app(ending.view),
            connects=self._connects(),
            changes=tuple(self._changes),
            failures=ending.failures,
            output=ending.output.place,
            logs=ending.logs,
        )

    def _pid(self, view: View) -> int | None:
        return view.pids().get(next(iter(self.connections)))

    def _connects(self) -> int:
        return len(self._servers.sandbox.v2.requests("stream"))

    def _bill(self) -> Bill:
        days = [day for day in self._servers.sandbox.v2.bill() if day["app"] == self._app]
        return Bill(
            lines=sum(day["lines"] for day in days),
            posts=sum(day["posts"] for day in days),
            dollars=sum(day["dollars"] for day in days),
        )


def _app(view: View) -> AppView | None:
    return view.apps[0] if view.apps else None
