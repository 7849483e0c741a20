"""The peer of a start with many workers: a process with the same libraries that forks, and does nothing else.

`python -m benchmarks.bareforks COUNT` reads a line with the modules to load, prints a line when all have been
forked, and ends them with its stdin.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_LOADED = """
import sys
import traptor.supervisor.cli
import traptor.supervisor.run
import traptor.worker.entry
import traptor.supervisor.master
print(*(name for name in sys.modules if name.partition(".")[0] not in ("traptor", "__main__")))
"""


@dataclass(frozen=True)
class Forks:
    """How long it took to fork many, in seconds."""

    span_s: float
    """From the first fork to the last."""
    since_command_s: float
    """From the command to the last fork."""


def bare_forks(count: int) -> Forks:
    """Fork `count` processes in such a loop."""
    modules = _libraries()
    command, began = [sys.executable, "-m", "benchmarks.bareforks", str(count)], time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(modules)
        process.stdin.flush()
        return Forks(float(process.stdout.readline()), time.monotonic() - began)


def forked_at_s(pid: int) -> float:
    """Return when the kernel forked a process, in seconds since the host's start, to the hundredth."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


@cache
def _libraries() -> bytes:
    """Return the modules that a supervisor has loaded and that are not its own, in their order."""
    return subprocess.run([sys.executable, "-c", _LOADED], check=True, capture_output=True).stdout


def main(count: int) -> None:
    """Load the libraries, fork, print how long that took, and wait for the end of stdin."""
    for name in sys.stdin.readline().split():
        with suppress(ImportError):  # a module that is only made by another one
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    children = [_forked() for _ in range(count)]
    forked = [forked_at_s(pid) for pid in children]
    print(max(forked) - min(forked), flush=True)
    sys.stdin.read()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _forked() -> int:
    pid = os.fork()
    if pid:
        return pid
    while True:
        signal.pause()


if __name__ == "__main__":
    main(int(sys.argv[1]))
