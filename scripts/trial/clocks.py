"""How the two clocks of this host stand to each other."""

from __future__ import annotations

import time

_READINGS = 100


def wall_to_mono_s() -> float:
    """What is to be added to Unix time to have seconds of the monotonic clock; the best of some readings."""
    return min((_reading() for _ in range(_READINGS)), key=lambda reading: reading[0])[1]


def _reading() -> tuple[float, float]:
    """How long the reading took, and the difference that it found."""
    before = time.monotonic()
    wall = time.time()
    after = time.monotonic()
    return after - before, (before + after) / 2 - wall
