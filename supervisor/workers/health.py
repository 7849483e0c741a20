"""Decide which workers to replace: hung by their reports, or stopped or too large by the kernel."""

from __future__ import annotations

from collections.abc import Iterable

import psutil

from traptor.supervisor.workers.generation import Ending, Generation, Vitals


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
    """Samples the processes periodically; a sample costs some 50 us per worker."""

    def __init__(self) -> None:
        self._processes: dict[str, psutil.Process] = {}

    def look(self, generations: Iterable[Generation], max_memory_bytes: int) -> bool:
        """Record each generation's vitals and illness; return whether one has fallen ill."""
        living = {generation.name: generation for generation in generations}
        self._processes = {name: p for name, p in self._processes.items() if name in living}
        fell_ill = False
        for name, generation in living.items():
            vitals = self._vitals(name, generation.pid)
            if vitals is None:
                continue
            ill = illness(vitals, generation.vitals, max_memory_bytes)
            fell_ill |= ill is not None and generation.illness is None
            generation.examined(vitals, ill)
        return fell_ill

    def _vitals(self, name: str, pid: int) -> Vitals | None:
        try:
            if (process := self._processes.get(name)) is None:
                process = self._processes[name] = psutil.Process(pid)
            with process.oneshot():
                memory = process.memory_info()
                cpu_percent, descriptors = process.cpu_percent(), process.num_fds()
                status = process.status()
        except psutil.Error:
            return None  # it has just ended; the pidfd tells so
        return Vitals(memory.rss - memory.shared, cpu_percent, descriptors, status)
