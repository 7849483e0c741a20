"""X's problem documents, which describe errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from itertools import cycle
from typing import Any

from traptor.sandbox.errors import SandboxError

Json = dict[str, Any]

_PREFIX = "https://api.x.com/2/problems/"
_OLD_PREFIX = "https://api.twitter.com/2/problems/"
_BLANK = "about:blank"
_USAGE_HEADERS = {"x-rate-limit-limit": "40000", "x-rate-limit-remaining": "39999"}


class ProblemHost(StrEnum):
    """The hosts that the `type` of a problem may name."""

    X = "api.x.com"
    TWITTER = "api.twitter.com"
    ANY = "any"  # alternating


class Problem(SandboxError):
    """A response other than the requested one: `status`, a problem document, and headers."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.body = body
        self.headers = dict(headers or {})
        self.text_after_s = 0.0  # delay before most of the body
        super().__init__(f"{status}: {self.name}")

    @property
    def name(self) -> str:
        """The problem in one word, for the record."""
        return str(self.body.get("connection_issue") or self.body.get("title") or self.status)


class Spelling:
    """Writes the types of problems with one host or the other."""

    def __init__(self, host: ProblemHost) -> None:
        prefixes = {ProblemHost.X: [_PREFIX], ProblemHost.TWITTER: [_OLD_PREFIX]}
        self._prefixes = cycle(prefixes.get(host, [_PREFIX, _OLD_PREFIX]))

    def spell(self, body: Json) -> Json:
        """Return the body with the types of the problems in it spelled for this answer."""
        return _spelled(body, next(self._prefixes))


def _spelled(body: Json, prefix: str) -> Json:
    spelled = dict(body)
    kind = body.get("type")
    if isinstance(kind, str) and kind.startswith(_PREFIX) and "account_id" not in body:
        spelled["type"] = prefix + kind.removeprefix(_PREFIX)
    if "errors" in body:
        spelled["errors"] = [_spelled(error, prefix) for error in body["errors"]]
    return spelled


def kind_of(name: str) -> str:
    """Return the `type` of a problem whose last path segment is `name`."""
    return _PREFIX + name


def unauthorized() -> Problem:
    """Return the problem of a missing or unknown token."""
    body = {"title": "Unauthorized", "type": _BLANK, "status": 401, "detail": "Unauthorized"}
    return Problem(401, body)


def unsupported_authentication() -> Problem:
    """Return the problem of credentials other than the app's bearer token."""
    detail = "Authenticating with OAuth 1.0a is forbidden for this endpoint; use the app's bearer token."
    return Problem(
        403,
        {
            "title": "Unsupported Authentication",
            "type": kind_of("unsupported-authentication"),
            "status": 403,
            "detail": detail,
        },
    )


def client_forbidden() -> Problem:
    """Return the problem of an app without access."""
    return Problem(
        403,
        {
            "title": "Client Forbidden",
            "type": kind_of("client-forbidden"),
            "detail": "The app must be attached to a project that has access.",
            "reason": "client-not-enrolled",
            "required_enrollment": "Appropriate Level of API Access",
            "registration_url": "https://developer.x.com/en/docs/projects/overview",
        },
    )


def invalid_request(message: str, parameters: Mapping[str, list[str]] | None = None) -> Problem:
    """Return the problem of an unusable parameter or body."""
    return Problem(
        400,
        {
            "title": "Invalid Request",
            "type": kind_of("invalid-request"),
            "detail": "One or more parameters to your request was invalid.",
            "errors": [{"message": message, "parameters": dict(parameters or {})}],
        },
    )


def connection_issue(issue: str, detail: str) -> Json:
    """Return the document that tells a connect or a stream what is wrong with it."""
    return {
        "title": "ConnectionException",
        "type": kind_of("streaming-connection"),
        "detail": detail,
        "connection_issue": issue,
    }


def no_rules() -> Problem:
    """Return the problem of a stream without filters."""
    return Problem(
        409, connection_issue("RuleConfigurationIssue", "Define rules before connecting to the stream.")
    )


def too_many_connections(most: int = 1) -> Problem:
    """Return the problem of a connection beyond the app's limit."""
    detail = f"This stream is currently at the maximum allowed connection limit ({most})."
    return Problem(429, connection_issue("TooManyConnections", detail))


def credits_depleted() -> Problem:
    """Return the problem of missing credit, in the newer of the observed forms."""
    return Problem(
        402,
        {
            "title": "Payment Required",
            "status": 402,
            "type": kind_of("credits-depleted"),
            "detail": "The account has no credits left.",
        },
    )


def credits_depleted_by_account() -> Problem:
    """Return the problem of missing credit, in the older of the observed forms."""
    return Problem(
        402,
        {
            "account_id": 1_890_000_000_000_000_001,
            "title": "CreditsDepleted",
            "detail": "Your enrolled account does not have any credits to fulfill this request.",
            "type": f"{_OLD_PREFIX}credits",
        },
    )


def rate_limited() -> Problem:
    """Return the problem of a used-up window."""
    body = {"title": "Too Many Requests", "type": _BLANK, "status": 429, "detail": "Too Many Requests"}
    return Problem(429, body)


def usage_capped() -> Problem:
    """Return the problem of the month's cap, unrelated to the rate limit."""
    return Problem(
        429,
        {
            "title": "UsageCapExceeded",
            "type": kind_of("usage-capped"),
            "detail": "Usage cap exceeded: Monthly product cap",
            "period": "Monthly",
            "scope": "Product",
        },
        _USAGE_HEADERS,
    )


def rule_cap(most: int = 1000) -> Problem:
    """Return the problem of filters beyond the app's limit."""
    detail = f"The request exceeds the cap of {most} rules."
    return Problem(422, {"title": "RulesCapExceeded", "type": kind_of("rule-cap"), "detail": detail})


def conflict(detail: str) -> Problem:
    """Return the problem of a request that something else stands against."""
    return Problem(409, {"title": "Conflict", "type": _BLANK, "status": 409, "detail": detail})


def not_found(kind: str, wanted: str) -> Problem:
    """Return the problem of a resource that does not exist."""
    return Problem(
        404,
        {
            "title": "Not Found Error",
            "type": kind_of("resource-not-found"),
            "detail": f"Could not find {kind} with id: [{wanted}].",
            "resource_type": kind,
            "parameter": "id",
            "resource_id": wanted,
            "value": wanted,
        },
    )


def server_error(status: int) -> Problem:
    """Return the problem of a failing server, or of any other status."""
    titles = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}
    title = titles.get(status, f"HTTP {status}")
    return Problem(status, {"title": title, "type": _BLANK, "status": status, "detail": title})


def _issue(name: str) -> Callable[[], Problem]:
    return lambda: Problem(403, connection_issue(name, "The stream cannot be opened now."))


def _other(status: int, title: str, kind: str, **more: object) -> Callable[[], Problem]:
    return lambda: Problem(status, {"title": title, "type": kind, "detail": title, **more})


# The problems that faults may name.
NAMED: dict[str, Callable[[], Problem]] = {
    "unauthorized": unauthorized,
    "unsupported-authentication": unsupported_authentication,
    "client-forbidden": client_forbidden,
    "official-client-forbidden": _other(
        403, "Client Forbidden", kind_of("client-forbidden"), reason="official-client-forbidden"
    ),
    "no-rules": no_rules,
    "too-many-connections": too_many_connections,
    "provisioning": _issue("ProvisioningSubscription"),
    "rules-invalid": _issue("RulesInvalidIssue"),
    "credits": credits_depleted_by_account,
    "credits-depleted": credits_depleted,
    "rate-limit": rate_limited,
    "rate-limit-exceeded": _other(429, "Too Many Requests", kind_of("rate-limit-exceeded")),
    "rate-limit-88": lambda: Problem(429, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}),
    "usage-capped": usage_capped,
    "usage-capped-daily": _other(
        429, "UsageCapExceeded", kind_of("usage-capped"), period="Daily", scope="Account"
    ),
    "rule-cap": rule_cap,
    "noncompliant-rules": _other(422, "NonCompliantRules", kind_of("noncompliant-rules")),
}
