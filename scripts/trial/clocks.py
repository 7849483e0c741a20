"""Relate the two clocks of this host."""

from __future__ import annotations

import time

_READINGS = 100


def wall_to_mono_s() -> float:
    """Return the difference to add to Unix time to get monotonic seconds; the best of some readings."""
    return min((_reading() for _ in range(_READINGS)), key=lambda reading: reading[0])[1]


def _reading() -> tuple[float, float]:
    """Return how long the reading took, and the difference found."""
    before = time.monotonic()
    wall = time.time()
    after = time.monotonic()
    return after - before, (before + after) / 2 - wall
