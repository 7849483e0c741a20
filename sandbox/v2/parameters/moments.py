"""Times as X writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from traptor.sandbox.v2 import problems

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z", re.ASCII)


def iso(unix_s: float) -> str:
    """Return a time with milliseconds: 2026-09-23T10:00:00.000Z."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%dT%H:%M:%S}.{int(unix_s * 1000) % 1000:03}Z"


def iso_seconds(unix_s: float) -> str:
    """Return a time with seconds: 2026-09-23T10:00:00Z."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse_moment(query: Mapping[str, str], name: str) -> float | None:
    """Return a time of the query in unix seconds, None without it. Raises Problem (400)."""
    text = query.get(name)
    if text is None:
        return None
    if not _MOMENT.fullmatch(text):
        message = f"The `{name}` query parameter value [{text}] is not a valid RFC3339 timestamp"
        raise problems.invalid_request(message, {name: [text]})
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        message = f"The `{name}` query parameter value [{text}] is no moment"
        raise problems.invalid_request(message, {name: [text]}) from None
