"""X's problem documents: read from an answer, and told apart by what can be done about them."""

from __future__ import annotations

from typing import Any

import msgspec

from traptor.common.text import cut, printable
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

_SAID_CHARACTERS = 200
_OLD_RATE_LIMIT = 88  # the code of v1.1, which some answers still have

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


class Problem(msgspec.Struct, frozen=True):
    """A problem document, or one of the `errors` of an answer; only texts are taken."""

    title: Any = None
    type: Any = None
    detail: Any = None
    details: Any = None
    message: Any = None
    code: Any = None
    connection_issue: Any = None
    period: Any = None
    value: Any = None
    id: Any = None
    errors: Any = None

    @property
    def kind(self) -> str:
        """The problem in one word: the connection issue, the last path segment of its type, or its title."""
        segment = self.type.rstrip("/").rpartition("/")[2] if isinstance(self.type, str) else ""
        if isinstance(self.connection_issue, str) and self.connection_issue:
            return self.connection_issue
        if segment and segment != "about:blank":
            return segment
        return self.title if isinstance(self.title, str) else ""

    @property
    def reason(self) -> str:
        """X's explanation, in one line made safe to show."""
        details = self.details if isinstance(self.details, list) else []
        texts = [*details, self.detail, self.message, self.title]
        said = next((text for text in texts if isinstance(text, str) and text.strip()), "no reason given")
        return cut(printable(said.strip()), _SAID_CHARACTERS)


def problems_in(raw: bytes) -> tuple[Problem, ...]:
    """Return the problems of a body, itself first; none where it is no JSON object."""
    try:
        whole = msgspec.json.decode(raw, type=Problem)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ()
    return (whole, *listed_problems(whole.errors))


def listed_problems(errors: object) -> tuple[Problem, ...]:
    """Return the problems of an answer's `errors`; what is no object is left out."""
    items = errors if isinstance(errors, list) else []
    return tuple(msgspec.convert(item, Problem) for item in items if isinstance(item, dict))


def failure_of(request: str, status: int, raw: bytes, quota: Quota) -> XFailure:
    """Return the error for an answer that is no success; `request` names what was asked."""
    problems = problems_in(raw)
    kind = next((_BY_KIND[one.kind] for one in problems if one.kind in _BY_KIND), None)
    if kind is None and any(one.code == _OLD_RATE_LIMIT for one in problems):
        kind = RateLimited
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
