"""Faults on demand: their kinds, their form in a request, and the faults in force."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from traptor.sandbox.errors import BadInput
from traptor.sandbox.faults.waiting import Waiting


class FaultKind(StrEnum):
    """The kinds of faults. The first four strike connects only."""

    STATUS = "status"  # the connect is answered with this HTTP status, its text `after` seconds later
    SLOW_START = "slow_start"  # the headers come `after` seconds late
    CLOSE_AFTER = "close_after"  # a 200, then a clean end `after` seconds later
    REFUSE_SECOND = "refuse_second"  # a connection over the limit is refused; the older one stays
    STALL = "stall"  # no bytes, not even keep-alives
    HALF_OPEN = "half_open"  # no bytes and no FIN, ever, as if the peer had vanished
    RESET = "reset"  # half of a message, then RST
    GARBAGE = "garbage"  # a broken JSON line and a binary one; the stream goes on
    DISCONNECT = "disconnect"  # a disconnect message with `code`, then a clean end
    CLOSE = "close"  # a clean end


class Target(StrEnum):
    """The targets of faults."""

    CONNECTS = "connects"  # future ones
    STREAMS = "streams"  # those open now, at once


CONNECT_KINDS = frozenset(
    {FaultKind.STATUS, FaultKind.SLOW_START, FaultKind.CLOSE_AFTER, FaultKind.REFUSE_SECOND}
)
STATUSES = (401, 403, 404, 406, 413, 416, 420, 429, 500, 502, 503)
_DEFAULT_STATUS = {FaultKind.REFUSE_SECOND: 420}
_DEFAULT_CODE = 12  # shed load: reconnect as usual
_FIELDS: dict[FaultKind, frozenset[str]] = {
    FaultKind.STATUS: frozenset({"status", "retry_after", "headers", "after"}),
    FaultKind.REFUSE_SECOND: frozenset({"status", "retry_after", "headers"}),
    FaultKind.SLOW_START: frozenset({"after"}),
    FaultKind.CLOSE_AFTER: frozenset({"after"}),
    FaultKind.DISCONNECT: frozenset({"code"}),
}
_COMMON = frozenset({"fault", "account", "on", "times", "seconds"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `times` and `seconds` limit it; None means until it is cleared."""

    kind: FaultKind
    account: str | None = None
    on: Target = Target.CONNECTS
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    times: int | None = None
    seconds: float | None = None
    after: float = 0.0
    code: int = _DEFAULT_CODE

    def concerns(self, account: str) -> bool:
        """Tell whether the fault is for this account."""
        return self.account in (None, account)

    def as_json(self) -> dict[str, Any]:
        """Return the fault as the API shows it; `times` is what is left of them."""
        return {
            "fault": self.kind,
            "account": self.account,
            "on": self.on,
            "status": self.status or None,
            "headers": self.headers,
            "times": self.times,
            "seconds": self.seconds,
            "after": self.after,
            "code": self.code if self.kind is FaultKind.DISCONNECT else None,
        }


class Faults(Waiting[Fault]):
    """The faults that wait for connects."""

    def take(
        self, account: str, now_mono_s: float, is_wanted: Callable[[FaultKind], bool], most: int | None = None
    ) -> list[Fault]:
        """Return the faults of wanted kinds that strike this account now, each used once more."""
        return self.take_if(account, now_mono_s, lambda fault: is_wanted(fault.kind), most)


def parse_fault(request: object) -> Fault:
    """Read the body of a request to the faults API. Raises BadInput."""
    if not isinstance(request, dict):
        raise BadInput('a fault is an object like {"fault": "status", "status": 503, "times": 1}')
    kind = _kind(request.get("fault"))
    target = _target(kind, request.get("on"))
    allowed = _COMMON | _FIELDS.get(kind, frozenset())
    if target is Target.CONNECTS:
        allowed |= {"after"} if kind not in (FaultKind.STATUS, FaultKind.REFUSE_SECOND) else set()
    unknown = {name for name, given in request.items() if given is not None} - allowed
    if unknown:
        raise BadInput(f"{', '.join(sorted(unknown))}: not a field of {kind} on {target}")
    account = request.get("account")
    if account is not None and not isinstance(account, str):
        raise BadInput("account: a name or null is expected")
    return Fault(
        kind,
        account,
        target,
        status=_status(kind, request.get("status")),
        headers=_headers(request),
        times=_whole("times", request.get("times")),
        seconds=_seconds("seconds", request.get("seconds")),
        after=_seconds("after", request.get("after")) or 0.0,
        code=_whole("code", request.get("code")) or _DEFAULT_CODE,
    )


def _kind(name: object) -> FaultKind:
    if not isinstance(name, str) or name not in set(FaultKind):
        raise BadInput(f"fault: {name!r} is none of {', '.join(FaultKind)}")
    return FaultKind(name)


def _target(kind: FaultKind, name: object) -> Target:
    usual = Target.CONNECTS if kind in CONNECT_KINDS else Target.STREAMS
    if name is None:
        return usual
    if not isinstance(name, str) or name not in set(Target):
        raise BadInput(f"on: {name!r} is none of {', '.join(Target)}")
    if kind in CONNECT_KINDS and name == Target.STREAMS:
        raise BadInput(f"on: {kind} strikes connects only")
    return Target(name)


def _status(kind: FaultKind, status: object) -> int:
    if kind not in (FaultKind.STATUS, FaultKind.REFUSE_SECOND):
        return 0
    if status is None:
        status = _DEFAULT_STATUS.get(kind)
    if not isinstance(status, int) or status not in STATUSES:
        raise BadInput(f"status: {status!r} is none of {', '.join(map(str, STATUSES))}")
    return status


def _headers(request: dict[str, Any]) -> dict[str, str]:
    headers = request.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(text, str) for text in headers.values()):
        raise BadInput("headers: an object of strings is expected")
    if any("\r" in text or "\n" in text for pair in headers.items() for text in pair):
        raise BadInput("headers: a line end inside a header")
    wait = _seconds("retry_after", request.get("retry_after"))
    return dict(headers) if wait is None else {**headers, "Retry-After": f"{wait:g}"}


def _whole(name: str, number: object) -> int | None:
    if number is None:
        return None
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise BadInput(f"{name}: a whole number from 1 or null is expected")
    return number


def _seconds(name: str, number: object) -> float | None:
    if number is None:
        return None
    if not isinstance(number, (int, float)) or isinstance(number, bool) or not 0 <= number < math.inf:
        raise BadInput(f"{name}: a number of seconds from 0 or null is expected")
    return float(number)
