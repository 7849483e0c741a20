"""The peer of a start with many workers: a process with the same libraries that forks, and does nothing else.

`python -m benchmarks.bareforks COUNT` prints a line when all have been forked, and ends them with its stdin.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from support.births import worker_settings

from traptor.supervisor import master
from traptor.supervisor.workers.forking.plain import start_fork
from traptor.supervisor.workers.process import prepare_forks


@dataclass(frozen=True)
class Forks:
    """How long it took to fork many, in seconds."""

    span_s: float
    """From the first fork to the last."""
    since_command_s: float
    """From the command to the last fork."""


def bare_forks(count: int) -> Forks:
    """Fork `count` processes in such a loop."""
    command, began = [sys.executable, "-m", "benchmarks.bareforks", str(count)], time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        return Forks(float(process.stdout.readline()), time.monotonic() - began)


def forked_at_s(pid: int) -> float:
    """Return when the kernel forked a process, in seconds since the host's start, to the hundredth."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def main(count: int) -> None:
    """Fork, print how long it took, and wait for the end of stdin."""
    assert master.Master is not None, "what a supervisor has loaded"
    with tempfile.TemporaryDirectory(prefix="traptor-bench-") as folder:
        prepare_forks(worker_settings(Path(folder)))
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=signal.pause, daemon=True) for _ in range(count)]
    for child in children:
        start_fork(child)
    forked = [forked_at_s(child.pid) for child in children if child.pid is not None]
    print(max(forked) - min(forked), flush=True)
    sys.stdin.read()
    for child in children:
        child.kill()
        child.join()


if __name__ == "__main__":
    main(int(sys.argv[1]))
