"""Moments on both clocks."""

from __future__ import annotations

import time
from pathlib import Path

from traptor.supervisor.gaps.interval import Instant


def instant(mono: float) -> Instant:
    """The moment of a monotonic reading, with its wall-clock time."""
    return Instant(wall=time.time() - (time.monotonic() - mono), mono=mono)


def boot_id() -> str:
    """Names this boot of the host: as long as it is the same, CLOCK_MONOTONIC goes on."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
