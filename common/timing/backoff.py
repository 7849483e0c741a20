"""Compute how long to wait before the next try: doubled steps, and jitter."""

from __future__ import annotations

import random

JITTER = 0.25
_MOST_DOUBLINGS = 64  # 2.0 ** 1024 overflows, and a crash loop may last for years


def doubled(first: float, times: int, longest: float) -> float:
    """Return `first` doubled `times` times, capped at `longest`."""
    return min(first * 2.0 ** min(times, _MOST_DOUBLINGS), longest)


def extra(step: float, rng: random.Random) -> float:
    """Return the jitter to add to a wait of `step`: up to 25 % of it.

    Jitter is only ever added: the steps are the shortest waits that Twitter tolerates, and connections that
    failed together should not all return at once.
    """
    return step * JITTER * rng.random()
