"""Times as X writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(unix_s: float) -> str:
    """Return a time with milliseconds: 2026-09-23T10:00:00.000Z."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%dT%H:%M:%S}.{int(unix_s * 1000) % 1000:03}Z"


def iso_seconds(unix_s: float) -> str:
    """Return a time with seconds: 2026-09-23T10:00:00Z."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
