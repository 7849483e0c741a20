"""Decide which workers to replace: hung by their reports, or stopped or too large by the kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

import psutil

from traptor.supervisor.workers.generation import Ending, Generation, Vitals

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MOST_BYTES = 4096  # of a file about a process
_USER_TICKS, _SYSTEM_TICKS = 10, 11  # fields 14 and 15, counted from the one after the state
_STATUSES = {
    b"R": psutil.STATUS_RUNNING,
    b"S": psutil.STATUS_SLEEPING,
    b"D": psutil.STATUS_DISK_SLEEP,
    b"T": psutil.STATUS_STOPPED,
    b"t": psutil.STATUS_TRACING_STOP,
    b"I": psutil.STATUS_IDLE,
    b"P": psutil.STATUS_PARKED,
    b"W": psutil.STATUS_WAKING,
}
"""Of living processes: not of zombies (Z) and dead ones (X)."""


def illness(now: Vitals, before: Vitals | None, max_memory_bytes: int) -> Ending | None:
    """Return why a worker is to be replaced, or None. Stopped counts when two samples in a row agree."""
    if max_memory_bytes and now.anonymous_bytes > max_memory_bytes:
        return Ending.MEMORY
    if now.is_stopped and before is not None and before.is_stopped:
        return Ending.STOPPED
    return None


def hang_reason(g: Generation, run_now: float, hang_timeout_s: float) -> str | None:
    """Return why `g` counts as hung, or None; `run_now` is read on the master's RunClock, as its times were.

    A worker that waits for the network, an order, or room in the sink is well, however long it waits.
    """
    silent_s = run_now - g.last_heard
    if silent_s > hang_timeout_s:
        return f"no report for {silent_s:.0f} s"
    report = g.last_report
    if report is None or report.activity.may_last:
        return None
    busy_s = run_now - g.busy_since
    if busy_s > hang_timeout_s:
        return f"{report.activity} for {busy_s:.0f} s"
    return None


class HealthSampler:
    """Samples the processes periodically; a sample costs some 15 us per worker."""

    def __init__(self) -> None:
        self._processes: dict[str, _Process] = {}

    def look(self, generations: Iterable[Generation], max_memory_bytes: int) -> bool:
        """Record each generation's vitals and illness; return whether one has fallen ill."""
        before, self._processes = self._processes, {}
        fell_ill = False
        for generation in generations:
            process = before.get(generation.name) or _Process(generation.pid)
            self._processes[generation.name] = process
            vitals = process.vitals(time.monotonic())
            if vitals is None:
                continue
            ill = illness(vitals, generation.vitals, max_memory_bytes)
            fell_ill |= ill is not None and generation.illness is None
            generation.examined(vitals, ill)
        return fell_ill


class _Process:
    """What the kernel tells of a child of the forker; psutil takes ten times as long for it.

    Until the forker reaps it, no other process has its pid. Source: proc_pid_stat(5) and proc_pid_statm(5).
    """

    def __init__(self, pid: int) -> None:
        self._folder = f"/proc/{pid}"
        self._before: tuple[float, int] | None = None  # when it was sampled, and its ticks of CPU

    def vitals(self, now: float) -> Vitals | None:
        """Return a sample; None of a process that has ended, which its pidfd tells."""
        try:
            # Its name, in parentheses, may hold anything.
            state, *stat = _read(f"{self._folder}/stat").rpartition(b") ")[2].split()
            _, resident, shared, *_ = map(int, _read(f"{self._folder}/statm").split())
            descriptors = len(os.listdir(f"{self._folder}/fd"))
        except OSError:
            return None
        status = _STATUSES.get(state)
        if status is None:
            return None
        ticks = int(stat[_USER_TICKS]) + int(stat[_SYSTEM_TICKS])
        return Vitals((resident - shared) * _PAGE_BYTES, self._cpu_percent(now, ticks), descriptors, status)

    def _cpu_percent(self, now: float, ticks: int) -> float:
        before, self._before = self._before, (now, ticks)
        if before is None or now <= before[0]:
            return 0.0
        return round(100 * (ticks - before[1]) * _TICK_S / (now - before[0]), 1)


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, _MOST_BYTES)
    finally:
        os.close(fd)
