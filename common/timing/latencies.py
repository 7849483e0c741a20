"""The steps by which times until delivery are counted, the same in workers and in the metrics."""

from __future__ import annotations

from bisect import bisect_left

STEPS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0)
BEYOND = "inf"

_NAMES = (*(f"{step:g}" for step in STEPS_S), BEYOND)


def step_of(seconds: float) -> str:
    """Return the name of the first step that is not less; BEYOND after the last."""
    return _NAMES[bisect_left(STEPS_S, seconds)]


def step_names() -> tuple[str, ...]:
    """Return the names of all steps, in their order."""
    return _NAMES
