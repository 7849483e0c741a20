"""The request windows of an app: how many requests each endpoint allows, and how many are left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from traptor.sandbox.v2 import problems


class Endpoint(StrEnum):
    """The endpoints that have a window of their own."""

    STREAM = "stream"
    RULES_LIST = "rules_list"
    RULES_CHANGE = "rules_change"
    RULES_COUNTS = "rules_counts"
    CONNECTIONS_LIST = "connections_list"
    CONNECTIONS_KILL = "connections_kill"
    USAGE = "usage"
    USERS = "users"
    TWEET_COUNTS = "tweet_counts"
    SEARCH_ALL = "search_all"
    COMPLIANCE = "compliance"
    TOKEN = "token"  # noqa: S105 - the name of an endpoint


_LIMITS = {
    Endpoint.STREAM: 50,
    Endpoint.RULES_LIST: 450,
    Endpoint.RULES_CHANGE: 100,
    Endpoint.RULES_COUNTS: 450,
    Endpoint.CONNECTIONS_LIST: 450,
    Endpoint.CONNECTIONS_KILL: 25,
    Endpoint.USAGE: 50,
    Endpoint.USERS: 300,
    Endpoint.TWEET_COUNTS: 300,
    Endpoint.SEARCH_ALL: 300,
    Endpoint.COMPLIANCE: 150,
    Endpoint.TOKEN: 450,
}
_ANY_NUMBER = 1_000_000


_EARLY_SHARE = 0.1  # two requests may come closer than they were sent


@dataclass(slots=True)
class _Window:
    resets_at: float
    used: int = 0


class Windows:
    """Counts requests by app and endpoint; a window begins with its first request.

    Two searches of an app are at least `search_every_s` apart.
    """

    def __init__(self, window_s: float, connects: int, search_every_s: float = 0.0) -> None:
        self._window_s = window_s
        self._least_s = {Endpoint.SEARCH_ALL: search_every_s * (1 - _EARLY_SHARE)}
        self._latest: dict[tuple[str, Endpoint], float] = {}
        self._limits = _LIMITS | {Endpoint.STREAM: connects or _ANY_NUMBER}
        self._windows: dict[tuple[str, Endpoint], _Window] = {}

    def spend(self, app: str, endpoint: Endpoint, now_unix_s: float) -> None:
        """Take one request from the window. Raises Problem (429) when it is used up, or for one too soon."""
        window = self._window(app, endpoint, now_unix_s)
        window.used += 1
        if window.used > self._limits[endpoint] or self._is_too_soon(app, endpoint, now_unix_s):
            raise problems.rate_limited()

    def headers(self, app: str, endpoint: Endpoint, now_unix_s: float) -> dict[str, str]:
        """Return the headers that tell the client of its window."""
        window = self._window(app, endpoint, now_unix_s)
        limit = self._limits[endpoint]
        return {
            "x-rate-limit-limit": str(limit),
            "x-rate-limit-remaining": str(max(limit - window.used, 0)),
            "x-rate-limit-reset": str(math.ceil(window.resets_at)),
        }

    def as_json(self, app: str, now_unix_s: float) -> dict[str, dict[str, float]]:
        """Return what an app used, by endpoint."""
        return {
            endpoint.value: {
                "used": window.used,
                "limit": self._limits[endpoint],
                "resets_at": window.resets_at,
            }
            for (name, endpoint), window in self._windows.items()
            if name == app and now_unix_s < window.resets_at
        }

    def _is_too_soon(self, app: str, endpoint: Endpoint, now_unix_s: float) -> bool:
        least_s = self._least_s.get(endpoint)
        if not least_s:
            return False
        if now_unix_s - self._latest.get((app, endpoint), -math.inf) < least_s:
            return True
        self._latest[app, endpoint] = now_unix_s
        return False

    def _window(self, app: str, endpoint: Endpoint, now_unix_s: float) -> _Window:
        window = self._windows.get((app, endpoint))
        if window is None or now_unix_s >= window.resets_at:
            window = self._windows[app, endpoint] = _Window(now_unix_s + self._window_s)
        return window
