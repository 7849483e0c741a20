"""Read the dates of HTTP headers."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime


def http_date(text: str) -> float | None:
    """Return the time (Unix seconds) of a date, or None where the text is none."""
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    # parsedate_to_datetime raises more than ValueError for odd texts.
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
