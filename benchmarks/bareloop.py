"""The peer of a restart: a process that forks, waits for a pidfd, and forks again, and does nothing else."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path

from benchmarks.watching import Tail


class BareLoop:
    """Forks children that write one line and sleep; used in place, so that it shares the loaded libraries."""

    def __init__(self, log: Path) -> None:
        self._log = log
        tail = Tail(log)
        self._pid = self._fork()
        tail.wait_for()

    def restart_ms(self) -> float:
        """Kill the child and return the milliseconds until the first line of the next one is readable."""
        tail = Tail(self._log)
        began = time.monotonic()
        self._replace()
        return (tail.wait_for() - began) * 1000

    def end(self) -> None:
        """End all children."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _replace(self) -> None:
        pidfd = os.pidfd_open(self._pid)
        os.kill(self._pid, signal.SIGKILL)
        select.select([pidfd], [], [])
        os.close(pidfd)
        os.waitpid(self._pid, 0)
        self._pid = self._fork()

    def _fork(self) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                fd = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                os.write(fd, b"started\n")
                while True:
                    signal.pause()
            finally:
                os._exit(1)
        return pid
