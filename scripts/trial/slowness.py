"""Measure how much slower than alone a process ran, because others had the processors."""

from __future__ import annotations

from pathlib import Path

MOST = 4.0
"""Tests pass on a machine four times slower; what takes longer still is a fault of ours."""


def slowness_of(pid: int, proc: Path = Path("/proc")) -> float:
    """Return how many times as long as it ran a process has run or waited for a processor, at most MOST.

    1.0: it never waited, or the kernel does not tell. Only its main thread counts.
    """
    try:
        # Linux, "Scheduler Statistics": nanoseconds on a processor, and runnable without one.
        ran_ns, waited_ns, _ = map(int, (proc / str(pid) / "schedstat").read_text().split())
    except (OSError, ValueError):
        return 1.0
    return min(MOST, 1 + waited_ns / ran_ns) if ran_ns else 1.0
