"""What the kernel says about the worker processes, and which of them are ill by it.

Hung workers are found by their reports (supervisor/workers/hangs.py); here are those
that are stopped or too large.
"""

from __future__ import annotations

from collections.abc import Iterable

import psutil

from traptor.supervisor.workers.generation import Ending, Generation
from traptor.supervisor.workers.vitals import Vitals


def illness(now: Vitals, before: Vitals | None, max_memory_bytes: int) -> Ending | None:
    """Why a worker is to be replaced, or None. Stopped counts when two looks in a row agree."""
    if max_memory_bytes and now.anonymous_bytes > max_memory_bytes:
        return Ending.MEMORY
    if now.is_stopped and before is not None and before.is_stopped:
        return Ending.STOPPED
    return None


class Health:
    """Looks at the processes now and then; a look costs some 50 us a worker."""

    def __init__(self) -> None:
        self._processes: dict[str, psutil.Process] = {}

    def look(self, generations: Iterable[Generation], max_memory_bytes: int) -> bool:
        """Note each generation's vitals and illness. Whether one has fallen ill."""
        living = {generation.name: generation for generation in generations}
        self._processes = {name: p for name, p in self._processes.items() if name in living}
        fell_ill = False
        for name, generation in living.items():
            vitals = self._vitals(name, generation.pid)
            if vitals is None:
                continue
            ill = illness(vitals, generation.vitals, max_memory_bytes)
            fell_ill |= ill is not None and generation.illness is None
            generation.vitals, generation.illness = vitals, ill
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
            return None  # it has just ended; the pidfd says so
        return Vitals(memory.rss - memory.shared, cpu_percent, descriptors, status)
