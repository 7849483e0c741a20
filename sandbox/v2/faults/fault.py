"""Faults of the v2 side on demand, and their form in a request."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from traptor.sandbox.errors import BadInput
from traptor.sandbox.v2.apps.windows import Endpoint
from traptor.sandbox.v2.faults.kinds import (
    DISCONNECT_TYPES,
    STRIKE_STREAMS,
    Target,
    Then,
    V2FaultKind,
)
from traptor.sandbox.v2.problems import NAMED, Problem, server_error

_COMMON = frozenset({"fault", "app", "times", "seconds"})
_FIELDS: dict[V2FaultKind, frozenset[str]] = {
    V2FaultKind.STATUS: frozenset({"endpoint", "status", "problem", "retry_after", "headers", "after"}),
    V2FaultKind.SLOW_START: frozenset({"endpoint", "after"}),
    V2FaultKind.HEADERS: frozenset({"endpoint", "headers"}),
    V2FaultKind.LOST_ANSWER: frozenset({"endpoint", "status"}),
    V2FaultKind.CLOSE_AFTER: frozenset({"after"}),
    V2FaultKind.DISCONNECT: frozenset({"disconnect_type", "then"}),
    V2FaultKind.PROBLEM_LINE: frozenset({"connection_issue", "then"}),
    V2FaultKind.ZOMBIE: frozenset({"client_ip"}),
    V2FaultKind.LINGER: frozenset({"linger_s"}),
    V2FaultKind.LAG: frozenset({"lag_s"}),
    V2FaultKind.RECOVERY_CUT: frozenset({"posts"}),
}
_ANY = "any"
_ONCE = frozenset(
    {
        V2FaultKind.PARTIAL_ERRORS,
        V2FaultKind.LINGER,
        V2FaultKind.BACKFILL_TWICE,
        V2FaultKind.RECOVERY_CUT,
        V2FaultKind.RECOVERY_STALL,
    }
)


@dataclass(frozen=True, slots=True)
class V2Fault:
    """One fault. `times` and `seconds` limit it; None means until it is cleared."""

    kind: V2FaultKind
    account: str | None = None  # the app
    on: Target = Target.CONNECTS
    endpoint: str = Endpoint.STREAM
    status: int = 503
    problem: str = ""
    headers: dict[str, str | None] = field(default_factory=dict)
    times: int | None = None
    seconds: float | None = None
    after: float = 0.0
    disconnect_type: str = DISCONNECT_TYPES[1]
    connection_issue: str = "TooManyConnections"
    then: Then = Then.CLOSE
    client_ip: str = "192.0.2.7"
    linger_s: float = 300.0
    lag_s: float = 5.0
    posts: int = 10
    connection: int | None = None  # of the open streams only this one

    def concerns(self, account: str) -> bool:
        """Tell whether the fault is for this app."""
        return self.account in (None, account)

    def is_at(self, endpoint: Endpoint) -> bool:
        """Tell whether the fault is for this endpoint."""
        return self.endpoint in (_ANY, endpoint)

    def answer(self) -> Problem:
        """Return the answer that the fault gives."""
        answer = NAMED[self.problem]() if self.problem else _usual(self.status)
        answer.headers |= {name: text for name, text in self.headers.items() if text is not None}
        return answer

    def as_json(self) -> dict[str, Any]:
        """Return the fault as the API shows it; `times` is what is left of them."""
        shown = asdict(self)
        return {"fault": shown.pop("kind"), "app": shown.pop("account"), **shown}


def _usual(status: int) -> Problem:
    names = {
        401: "unauthorized",
        402: "credits-depleted",
        403: "client-forbidden",
        409: "no-rules",
        429: "rate-limit",
    }
    return NAMED[names[status]]() if status in names else server_error(status)


def parse_v2_fault(request: object) -> V2Fault:
    """Read the body of a request to the faults API. Raises BadInput."""
    if not isinstance(request, dict):
        raise BadInput('a fault is an object like {"fault": "disconnect", "then": "silence"}')
    given = {name: item for name, item in request.items() if item is not None}
    kind = _choice("fault", given.get("fault"), V2FaultKind)
    target = _target(kind, given.get("on"))
    _check_names(kind, target, given)
    return V2Fault(
        kind,
        _text("app", given.get("app")),
        target,
        times=_whole("times", given.get("times")) or _default_times(kind),
        **_details(given),
    )


def _details(given: dict[str, Any]) -> dict[str, Any]:
    """Read the fields that are present; the others keep their defaults."""
    read: dict[str, Callable[[object], Any]] = {
        "endpoint": lambda item: _choice("endpoint", item, (*Endpoint, _ANY)),
        "status": lambda item: _whole("status", item, 400, 599),
        "problem": lambda item: _choice("problem", item, NAMED),
        "seconds": lambda item: _seconds("seconds", item),
        "after": lambda item: _seconds("after", item),
        "linger_s": lambda item: _seconds("linger_s", item),
        "lag_s": lambda item: _seconds("lag_s", item),
        "posts": lambda item: _whole("posts", item),
        "connection": lambda item: _whole("connection", item),
        "disconnect_type": lambda item: _text("disconnect_type", item),
        "connection_issue": lambda item: _text("connection_issue", item),
        "then": lambda item: _choice("then", item, Then),
        "client_ip": lambda item: _text("client_ip", item),
    }
    details = {name: parse(given[name]) for name, parse in read.items() if name in given}
    return details | {"headers": _headers(given)}


def _default_times(kind: V2FaultKind) -> int | None:
    return 1 if kind in _ONCE else None


def _target(kind: V2FaultKind, name: object) -> Target:
    if name is None:
        return Target.STREAMS if kind in STRIKE_STREAMS else Target.CONNECTS
    target = Target(_choice("on", name, Target))
    if kind not in STRIKE_STREAMS:
        raise BadInput(f"on: not a field of {kind}")
    return target


def _check_names(kind: V2FaultKind, target: Target, given: dict[str, Any]) -> None:
    allowed = _COMMON | _FIELDS.get(kind, frozenset())
    if kind in STRIKE_STREAMS:
        allowed |= {"on", "after" if target is Target.CONNECTS else "connection"}
    if unknown := given.keys() - allowed:
        raise BadInput(f"{', '.join(sorted(unknown))}: not a field of {kind} on {target}")


def _choice(name: str, item: object, choices: Any) -> Any:
    if not isinstance(item, str) or item not in set(choices):
        raise BadInput(f"{name}: {item!r} is none of {', '.join(choices)}")
    return choices(item) if isinstance(choices, type) else item


def _text(name: str, item: object) -> str | None:
    if item is not None and not isinstance(item, str):
        raise BadInput(f"{name}: a text or null is expected")
    return item


def _whole(name: str, item: object, least: int = 1, most: int = 1_000_000) -> int | None:
    if item is None:
        return None
    if not isinstance(item, int) or isinstance(item, bool) or not least <= item <= most:
        raise BadInput(f"{name}: a whole number from {least} to {most} or null is expected")
    return item


def _seconds(name: str, item: object) -> float:
    if not isinstance(item, (int, float)) or isinstance(item, bool) or not 0 <= item < math.inf:
        raise BadInput(f"{name}: a number of seconds from 0 or null is expected")
    return float(item)


def _headers(given: dict[str, Any]) -> dict[str, str | None]:
    headers = given.get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(text, str | None) for text in headers.values()):
        raise BadInput("headers: an object of strings and nulls is expected")
    if any("\r" in text or "\n" in text for pair in headers.items() for text in pair if text):
        raise BadInput("headers: a line end inside a header")
    if "retry_after" not in given:
        return dict(headers)
    return {**headers, "Retry-After": f"{_seconds('retry_after', given['retry_after']):g}"}
