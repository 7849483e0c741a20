"""What the kernel says about one worker process."""

from __future__ import annotations

from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at a process."""

    anonymous_bytes: int  # memory that no file stands behind; what it still shares with the master counts
    cpu_percent: float  # of one core, since the look before
    descriptors: int
    status: str  # as psutil names it: running, sleeping, stopped, ...

    @property
    def is_stopped(self) -> bool:
        """Whether it was halted by SIGSTOP (a debugger's halt has another name)."""
        return self.status == psutil.STATUS_STOPPED
