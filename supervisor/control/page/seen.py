"""What the page shows, in words, from a status, the rates and the strips. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from traptor.supervisor.control.page.drawing import NO_STRIP, Spark, Strip, spark
from traptor.supervisor.status.phrases import (
    app_filters,
    app_state,
    ownerless,
    problem_lines,
    rules_of,
    state_words,
    summary,
)
from traptor.supervisor.status.rates import STEPS
from traptor.supervisor.status.terms import dollars, local_time, number, since

Json = Mapping[str, Any]

_RUNNING = (("restart", "Restart"), ("stop", "Stop"))
_STOPPED = (("start", "Start"),)


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """One connection."""

    name: str
    groups: str
    state: str
    tone: str  # a class of the style sheet: good, bad, worried, idle
    since: str
    rules: str
    rate: str
    spark: Spark
    strip: Strip
    delivered: str
    outbox: str
    key: str
    pid: str
    restarts: str
    actions: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key."""

    name: str
    state: str
    tone: str
    lent: str
    left: str
    until: str
    reason: str


@dataclass(frozen=True, slots=True)
class AppRow:
    """One app at X."""

    name: str
    state: str
    filters: str
    waiting: str
    posts: str
    today: str
    month: str
    price: str


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything on the page."""

    summary: str
    problems: Sequence[tuple[Json, str]]  # each with a line on others of the same cause
    connections: Sequence[ConnectionRow]
    ownerless: str  # what waits in outboxes that no worker has
    apps: Sequence[AppRow]
    keys: Sequence[KeyRow]


def seen(status: Json, history: Callable[[str], Sequence[float]], strips: Mapping[str, Strip]) -> Seen:
    """Return the page's content; `history` returns the rates of a connection's last hour."""
    connections = status["connections"]
    return Seen(
        summary=summary(status),
        problems=problem_lines(status["problems"]),
        connections=[
            _row(one, spark(history(one["connection"]), STEPS), strips.get(one["connection"], NO_STRIP))
            for one in connections
        ],
        ownerless=ownerless(status),
        apps=[_app(one) for one in status.get("apps", ())],
        keys=[_key(one) for one in status["keys"]],
    )


def _row(one: Json, line: Spark, strip: Strip) -> ConnectionRow:
    g = one["serving"] or {}
    rate = one["tweets_per_second"] if one["collecting"] else None
    state, tone = state_words(one)
    return ConnectionRow(
        name=one["connection"],
        groups=", ".join(_groups(one)),
        state=state,
        tone=tone,
        since=f"for {since(one['since'])}" if one["since"] is not None else "",
        rules=rules_of(one),
        rate="" if rate is None else f"{rate:.1f}",
        spark=line,
        strip=strip,
        delivered=number(one["total"]["delivered"]),
        outbox=number(one["outbox"]["messages"]),
        key=g.get("key") or "",
        pid=str(g.get("pid", "")),
        restarts=number(one["restarts"]),
        actions=_STOPPED if one["state"] == "STOPPED" else _RUNNING,
    )


def _groups(one: Json) -> Iterable[str]:
    """Return the groups of a connection that its name does not tell."""
    return one.get("groups", ()) if one["connection"].startswith("v2:") else ()


def _key(key: Json) -> KeyRow:
    return KeyRow(
        name=key["key"],
        state=key["state"].lower(),
        tone="good" if key["state"] == "OK" else "worried",
        lent=f"{key['lent']} of {key['max_connections']}",
        left=str(key["budget_left"]),
        until="" if key["until"] is None else local_time(key["until"]),
        reason=key["reason"] or "",
    )


def _app(app: Json) -> AppRow:
    today = app["today"]
    return AppRow(
        name=app["key"],
        state=app_state(app),
        filters=app_filters(app),
        waiting=number(app["waiting"]),
        posts=number(today["posts"] + today["included_posts"]),
        today=dollars(today["dollars"]),
        month=dollars(app["month"]["dollars"]),
        price=dollars(app["dollars_per_1000_posts"]["plain"]),
    )
