"""Tell X's problem documents apart by what can be done about them."""

from __future__ import annotations

from traptor.common.problem import problems_in
from traptor.supervisor.xapi.failures import (
    BadAnswer,
    CapExceeded,
    KeyRefused,
    OutOfCredit,
    RateLimited,
    RequestRefused,
    RuleCapExceeded,
    ServerTrouble,
    XFailure,
)
from traptor.supervisor.xapi.quota import Quota

_BY_KIND: dict[str, type[XFailure]] = {
    "rate-limit-exceeded": RateLimited,
    "usage-capped": CapExceeded,
    "UsageCapExceeded": CapExceeded,
    "credits": OutOfCredit,
    "credits-depleted": OutOfCredit,
    "CreditsDepleted": OutOfCredit,
    "rule-cap": RuleCapExceeded,
    "RulesCapExceeded": RuleCapExceeded,
    "unsupported-authentication": KeyRefused,
    "client-forbidden": KeyRefused,
    "official-client-forbidden": KeyRefused,
}
_BY_STATUS: dict[int, type[XFailure]] = {
    401: KeyRefused,
    402: OutOfCredit,
    403: KeyRefused,
    408: ServerTrouble,
    420: RateLimited,
    429: RateLimited,
}


def failure_of(request: str, status: int, raw: bytes, quota: Quota) -> XFailure:
    """Return the error for an answer that is no success; `request` names what was asked."""
    problems = problems_in(raw)
    kind = next((_BY_KIND[one.kind] for one in problems if one.kind in _BY_KIND), None)
    kind = kind or _BY_STATUS.get(status) or _by_range(status)
    said = next((one.reason for one in problems if one.kind or one.detail or one.message), "no reason given")
    message = f"{request}: X answered {status}: {said}"
    if kind is CapExceeded:
        return CapExceeded(message, quota, is_daily=any(one.period == "Daily" for one in problems))
    return kind(message, quota)


def _by_range(status: int) -> type[XFailure]:
    if status >= 500:
        return ServerTrouble
    return RequestRefused if status >= 400 else BadAnswer
