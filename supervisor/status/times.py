"""Times of the status: for people and programs, in Unix seconds."""

from __future__ import annotations

import time


def wall(at: float | None, now: float) -> float | None:
    """Return a monotonic time as Unix time; `now` is the present monotonic one."""
    return None if at is None else round(time.time() + at - now, 3)
