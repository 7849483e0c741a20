"""The present time, read once for both clocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment: `unix` in seconds since 1970, `mono` in seconds of this host's monotonic clock."""

    unix: float
    mono: float


Clock = Callable[[], Instant]


def system_clock() -> Instant:
    """Return the present moment; `mono` compares with time.monotonic() of any process on this host."""
    return Instant(time.time(), time.monotonic())
