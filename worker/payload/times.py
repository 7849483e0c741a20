"""Times in the forms of v1.1."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH_MS = 1_288_834_974_657  # an id is (milliseconds since then) << 22 and a sequence number
_FIRST_ID = 1 << 35  # earlier ids were counted, not made of times


@functools.lru_cache(maxsize=1024)
def v1_time(iso: str | None) -> str | None:
    """Return a time of v2 as v1.1 wrote it, not in the process's language; None without one."""
    if iso is None:
        return None
    time = datetime.fromisoformat(iso).astimezone(UTC)
    day, month = _DAYS[time.weekday()], _MONTHS[time.month - 1]
    return f"{day} {month} {time.day:02d} {time:%H:%M:%S} +0000 {time.year:04d}"


def timestamp_ms(post_id: int, iso: str | None) -> str | None:
    """Return a post's time in milliseconds, as its id tells it, or its `created_at`."""
    if post_id >= _FIRST_ID:
        return str((post_id >> 22) + _EPOCH_MS)
    return None if iso is None else str(int(datetime.fromisoformat(iso).timestamp() * 1000))
