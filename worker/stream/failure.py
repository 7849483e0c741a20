"""Interpret errors of requests, urllib3 and http.client about a connection."""

from __future__ import annotations

import requests
import socks  # type: ignore[import-untyped]  # PySocks, which requests uses, has no types
import urllib3

NETWORK_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
_DETAIL_CHARS = 200
_MOST_LEVELS = 20
_PROXY_ERRORS = (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError, socks.ProxyError)


def never_reached(error: BaseException | None) -> bool:
    """Tell whether the server cannot know of this attempt: no connection was made, not even by the proxy."""
    return isinstance(error, requests.ConnectTimeout) or any(
        isinstance(
            one, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ProxyError, socks.ProxyError)
        )
        for one in _levels(error)
    )


def is_read_timeout(error: BaseException | None) -> bool:
    """Tell whether nothing arrived in time."""
    return any(
        isinstance(one, requests.Timeout | urllib3.exceptions.ReadTimeoutError) for one in _levels(error)
    )


def short(error: BaseException | None) -> str:
    """Return kind and text of the innermost error: those around it tell no more."""
    levels = _levels(error)
    if not levels:
        return ""
    text = f"{type(levels[-1]).__name__}: {levels[-1]}"
    place = "proxy: " if any(isinstance(one, _PROXY_ERRORS) for one in levels) else ""
    return f"{place}{text}"[:_DETAIL_CHARS]


def _levels(error: BaseException | None) -> list[BaseException]:
    """Return the error and those that it was made from, innermost last."""
    levels: list[BaseException] = []
    while error is not None and error not in levels and len(levels) < _MOST_LEVELS:
        levels.append(error)
        error = _inner(error)
    return levels


def _inner(error: BaseException) -> BaseException | None:
    # urllib3 and requests keep it as a reason or an argument; what they raise `from` is the same or deeper.
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return reason
    inside = next((one for one in error.args if isinstance(one, BaseException)), None)
    return inside or error.__cause__
