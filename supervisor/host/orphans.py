"""The duty of PID 1, which the supervisor is in a container: reap processes whose parent has ended."""

from __future__ import annotations

import multiprocessing
import os

import psutil

_INIT = 1


def is_init() -> bool:
    """Tell whether the kernel makes orphans children of this process."""
    return os.getpid() == _INIT


def reap_orphans() -> list[int]:
    """Reap ended children that this process did not start, and return their pids."""
    ended = [child.pid for child in psutil.Process().children() if _has_ended(child)]
    # This reaps those that were started here, and keeps their exit codes for whoever waits for them.
    multiprocessing.active_children()
    return [pid for pid in ended if _reaped(pid)]


def _has_ended(child: psutil.Process) -> bool:
    try:
        return bool(child.status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False
