"""Moments on both clocks."""

from __future__ import annotations

import time

from traptor.supervisor.intervals import Instant


def instant(mono: float) -> Instant:
    """The moment of a monotonic reading, with its wall-clock time."""
    return Instant(wall=time.time() - (time.monotonic() - mono), mono=mono)
