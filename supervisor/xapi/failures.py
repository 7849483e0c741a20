"""The failures of a request to X: one error for each way to continue.

XFailure
├── RateLimited        the window is used up: again at `until`
├── CapExceeded        the usage cap is reached: not before it resets
├── OutOfCredit        the account has no credit: no other key of it helps
├── KeyRefused         X does not take the bearer token, or the app has no access
├── RuleCapExceeded    the app may have no more filters
├── RequestRefused     X found fault with the request itself
├── ServerTrouble      no answer, or 5xx: again later; the request may have been carried out
└── BadAnswer          the answer is not of the form that the documents give

A message names the request and what X said, made safe to show; it never holds the bearer token.
"""

from __future__ import annotations

from traptor.common.errors import TraptorError
from traptor.supervisor.xapi.quota import Quota


class XFailure(TraptorError):
    """A request to X that failed."""

    def __init__(self, message: str, quota: Quota | None = None) -> None:
        self.quota = quota or Quota()
        super().__init__(message)


class RateLimited(XFailure):
    """Too many requests; `quota` says until when, as far as X said so."""


class CapExceeded(XFailure):
    """The usage cap of the app or the account is reached; `is_daily` tells a daily cap from a monthly one."""

    def __init__(self, message: str, quota: Quota | None = None, *, is_daily: bool = False) -> None:
        self.is_daily = is_daily
        super().__init__(message, quota)


class OutOfCredit(XFailure):
    """The account has no credit left."""


class KeyRefused(XFailure):
    """The bearer token or the consumer key is not valid, or its app has no access."""


class RuleCapExceeded(XFailure):
    """The app may have no more filters."""


class RequestRefused(XFailure):
    """X found fault with the request."""


class ServerTrouble(XFailure):
    """X did not answer, or answered that it cannot now. The request may have been carried out."""


class BadAnswer(XFailure):
    """The answer cannot be read. The request may have been carried out."""
