"""Relate the two clocks of this host."""

from __future__ import annotations

import time
from datetime import datetime

_READINGS = 100


def unix_s(iso: str) -> float:
    """Return a time of the log as Unix time."""
    return datetime.fromisoformat(iso).timestamp()


def wall_to_mono_s() -> float:
    """Return the difference to add to Unix time to get monotonic seconds; the best of some readings."""
    return min((_reading() for _ in range(_READINGS)), key=lambda reading: reading[0])[1]


def _reading() -> tuple[float, float]:
    """Return how long the reading took, and the difference found."""
    before = time.monotonic()
    wall = time.time()
    after = time.monotonic()
    return after - before, (before + after) / 2 - wall
