"""The content of `run_dir/status.json`, with tweets per second computed from successive reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """One row of the table."""

    name: str
    state: str  # of the generation that serves it, otherwise of the connection
    rules: int
    pid: int | None
    key: str | None
    received: int
    matched: int
    delivered: int
    worker_received: int  # by the worker that serves it, without the connection's other workers
    tweets_per_s: float
    gap_s: float
    backlog: int = 0  # accepted and not yet written, by all its workers
    others: int = 0  # its workers besides the one that serves it

    @property
    def streams(self) -> bool:
        """True while its stream is open."""
        return self.state == "STREAMING"


@dataclass(frozen=True, slots=True)
class KeyView:
    """One key, and the connections that it is lent to."""

    name: str
    state: str
    budget_left: int
    connections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AppView:
    """One app at X: its filters, its rules, and what it cost today."""

    name: str
    filters: int
    allowed: int
    standing: int
    in_effect: int
    rules: int
    rules_in_effect: int
    posts: int  # of the billing month: a day may end meanwhile
    dollars: float
    dollars_today: float
    dollars_per_1000: float
    hold: str | None

    @property
    def is_settled(self) -> bool:
        """Whether exactly the wanted filters stand and act."""
        wanted = self.filters == self.standing == self.in_effect
        return wanted and self.filters > 0 and self.rules_in_effect == self.rules


@dataclass(frozen=True, slots=True)
class View:
    """The supervisor at one moment."""

    at: float = 0.0  # unix seconds
    connections: tuple[ConnectionView, ...] = ()
    keys: tuple[KeyView, ...] = ()
    pid: int = 0
    apps: tuple[AppView, ...] = ()
    gaps_to_fill: int = 0  # those being filled included
    is_filling: bool = False

    def pids(self) -> dict[str, int]:
        """Return the workers of the connections that stream."""
        return {c.name: c.pid for c in self.connections if c.streams and c.pid is not None}

    def serving(self) -> dict[str, int]:
        """Return the workers that serve the connections, whether they stream or not."""
        return {c.name: c.pid for c in self.connections if c.pid is not None}

    def ended(self) -> View:
        """Return the view with every worker gone."""
        gone = tuple(replace(c, state="ended", tweets_per_s=0.0) for c in self.connections)
        keys = tuple(replace(key, connections=()) for key in self.keys)
        return replace(self, connections=gone, keys=keys)

    def total(self, counter: str) -> int:
        """Return the sum of a counter over all connections."""
        return sum(getattr(c, counter) for c in self.connections)


class StatusReader:
    """Reads the file repeatedly; the view changes only when the file does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.view = View()

    def look(self) -> View:
        """Return the newest view, or the last one while the file does not exist."""
        try:
            status = orjson.loads(self._path.read_bytes())
        except FileNotFoundError:
            return self.view
        if status["at"] != self.view.at:
            self.view = make_view(status, self.view)
        return self.view


def make_view(status: Json, before: View) -> View:
    """Return a view of the status; tweets per second are computed since `before`."""
    earlier = {c.name: c for c in before.connections}
    elapsed_s = status["at"] - before.at
    connections = tuple(
        _connection(c, earlier.get(c["connection"]), elapsed_s) for c in status["connections"]
    )
    users: dict[str, list[str]] = {}
    for c in connections:
        if c.key is not None:
            users.setdefault(c.key, []).append(c.name)
    keys = tuple(
        KeyView(key["key"], key["state"], key["budget_left"], tuple(users.get(key["key"], ())))
        for key in status["keys"]
    )
    apps = tuple(_app(app) for app in status["apps"])
    fills = status.get("fills", {}).get("states", {})
    waiting, running = fills.get("waiting", 0), fills.get("running", 0)
    return View(status["at"], connections, keys, status["pid"], apps, waiting + running, running > 0)


def _app(app: Json) -> AppView:
    filters, month = app["filters"], app["month"]
    return AppView(
        name=app["key"],
        filters=filters["wanted"],
        allowed=filters["allowed"],
        standing=filters["standing"],
        in_effect=filters["in_effect"],
        rules=app["rules"],
        rules_in_effect=app["rules_in_effect"],
        posts=month["posts"] + month["included_posts"],
        dollars=month["dollars"],
        dollars_today=app["today"]["dollars"],
        dollars_per_1000=app["dollars_per_1000_posts"]["plain"],
        hold=app["hold_why"],
    )


def _connection(c: Json, before: ConnectionView | None, elapsed_s: float) -> ConnectionView:
    serving = c["serving"] or {}
    others = [g for g in (c["successor"], *c["leaving"]) if g]
    received = c["total"]["received"]
    return ConnectionView(
        name=c["connection"],
        state=serving.get("state") or c["state"],
        rules=c["rules"],
        pid=serving.get("pid"),
        key=serving.get("key"),
        received=received,
        matched=c["total"]["matched"],
        delivered=c["total"]["delivered"],
        worker_received=serving["counters"]["received"] if serving else 0,
        tweets_per_s=max(0, received - before.received) / elapsed_s if before else 0.0,
        gap_s=sum(c["gap_seconds"].values()),
        backlog=sum(g["backlog"] for g in (serving, *others) if g),
        others=len(others),
    )
