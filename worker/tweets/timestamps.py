"""Convert times in tweets to ISO 8601."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Wed Sep 23 10:00:00 +0000 2026. Not strptime: it reads names of months in the process's language.
_CREATED_AT = re.compile(
    rf"[A-Z][a-z]{{2}} ({'|'.join(_MONTHS)}) ([0-9]{{1,2}}) ([0-9]{{2}}):([0-9]{{2}}):([0-9]{{2}})"
    r" ([+-][0-9]{2})([0-9]{2}) ([0-9]{4})"
)


def iso_of_created_at(created_at: str) -> str | None:
    """Return a tweet's `created_at` as ISO 8601 with offset, or None when it is not a time.

    Accepts the form of v1.1 (`Wed Sep 23 10:00:00 +0000 2026`) and ISO 8601 itself.
    """
    time = _time_of(created_at)
    return None if time is None else time.isoformat()


@functools.lru_cache(maxsize=1024)
def unix_ms_of_created_at(created_at: str) -> int | None:
    """Return a tweet's `created_at` in unix milliseconds, or None when it is not a time."""
    time = _time_of(created_at)
    return None if time is None else int(time.timestamp() * 1000)


@functools.lru_cache(maxsize=16)  # of one tweet, several things are asked
def _time_of(created_at: str) -> datetime | None:
    fields = _CREATED_AT.fullmatch(created_at) if created_at[:1].isalpha() else None
    try:
        if fields is None:
            time = datetime.fromisoformat(created_at)
            return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
        month = _MONTHS.index(fields[1]) + 1
        day, hour, minute, second, offset_hours, offset_minutes, year = map(int, fields.groups()[1:])
        offset = timedelta(
            hours=offset_hours, minutes=offset_minutes if offset_hours >= 0 else -offset_minutes
        )
        return datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset))
    except (ValueError, OverflowError):
        return None


def iso_of_unix_time(time_ms: int) -> str:
    """Return a unix time in milliseconds as ISO 8601 in UTC."""
    whole_s, rest_ms = divmod(time_ms, 1000)
    return f"{_iso_second(whole_s)}.{rest_ms:03d}+00:00"


@functools.lru_cache(maxsize=4)
def _iso_second(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
