"""Times in the forms of v1.1, as JSON."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH_MS = 1_288_834_974_657  # an id is (milliseconds since then) << 22 and a sequence number
_FIRST_ID = 1 << 35  # earlier ids were counted, not made of times


@functools.lru_cache(maxsize=1024)
def v1_time(iso: str | None) -> bytes:
    """Return a time of v2 as v1.1 wrote it, not in the process's language; null without one.

    Raises ValueError for what is no time.
    """
    if iso is None:
        return b"null"
    time = datetime.fromisoformat(iso)
    if iso[10:11] != "T" or iso[19:] != ".000Z":  # X writes no other form
        time = _in_utc(time)
        iso = time.isoformat()
    day, month = _DAYS[time.weekday()], _MONTHS[time.month - 1]
    return f'"{day} {month} {time.day:02d} {iso[11:19]} +0000 {time.year:04d}"'.encode()


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError as error:  # on the first or the last day of all
        raise ValueError("a time beyond the calendar") from error


def timestamp_ms(post_id: int, iso: str | None) -> bytes:
    """Return a post's time in milliseconds, as its id tells it, or its `created_at`."""
    if post_id >= _FIRST_ID:
        return b'"%d"' % ((post_id >> 22) + _EPOCH_MS)
    return b"null" if iso is None else b'"%d"' % int(datetime.fromisoformat(iso).timestamp() * 1000)
