"""Numbers, times and sizes as people read them, at a terminal or on the page."""

from __future__ import annotations

import time
from datetime import datetime

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def age(seconds: float) -> str:
    """Return a duration in its two largest units at most: `12 min`, `3 h 5 min`, `2 d 4 h`."""
    seconds = max(0.0, seconds)
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    rest = int(seconds)
    parts = []
    for unit, length in _UNITS:
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def local_time(unix: float) -> str:
    """Return a time of today as `14:05:09`, another with its date, in this host's zone."""
    at, today = datetime.fromtimestamp(unix).astimezone(), datetime.now().astimezone()
    return f"{at:%H:%M:%S}" if at.date() == today.date() else f"{at:%Y-%m-%d %H:%M:%S}"


def since(unix: float | None) -> str:
    """Return how long ago it was; nothing for None."""
    return "" if unix is None else age(time.time() - unix)


def size(count: float) -> str:
    """Return a number of bytes: `12 KiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")


def dollars(amount: float) -> str:
    """Return an amount to the cent: `$1,234.50`."""
    return f"${amount:,.2f}"


def number(count: float) -> str:
    """Return a whole number with its thousands apart: `12,345`."""
    return f"{count:,.0f}"
