"""Forks programs of ours on demand, with everything imported that they need; started by support/programs.py.

`python forks.py FD`: each packet on the socket is an order. A new process gets the descriptors that came with
its order as standard streams, and runs its program as a fresh interpreter would.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from typing import Any

import setproctitle

Order = dict[str, Any]

_PACKET_BYTES = 1 << 18
_STREAMS = 3
# Their import is most of the time that a program needs to start, and takes twice as long with coverage.
_NEEDED = (
    "supervisor.cli",
    "supervisor.run",
    "supervisor.ctl.cli",
    "supervisor.master",
    "supervisor.checks.check",
    "supervisor.checks.preview",
    "worker.entry",
    "sandbox.cli",
    "sandbox.server",
)


def serve(asked: socket.socket) -> Order | None:
    """The order of the process that this one has become; None: whoever asked is gone, and what runs ends."""
    running: set[int] = set()
    while True:
        packet, streams, *_ = socket.recv_fds(asked, _PACKET_BYTES, _STREAMS)
        if not packet:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            return None
        order = json.loads(packet)
        if "poll" in order:
            code = exit_code(order["poll"])
            if code is not None:
                running.discard(order["poll"])
            asked.send(json.dumps(code).encode())
            continue
        pid = os.fork()
        if not pid:
            asked.close()
            become(order, streams)
            return dict(order)
        for stream in streams:
            os.close(stream)
        running.add(pid)
        asked.send(json.dumps(pid).encode())


def exit_code(pid: int) -> int | None:
    """None while it runs. Asked for once more, it is unknown."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def become(order: Order, streams: list[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for stream in streams:
        if stream >= _STREAMS:
            os.close(stream)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])


def run(program: list[str]) -> None:
    first, *rest = program
    if first == "-m":
        name, *arguments = rest
        sys.argv = [name, *arguments]
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        sys.argv = program
        runpy.run_path(first, run_name="__main__")


def _measured() -> Any:
    coverage = sys.modules.get("coverage")
    return coverage and coverage.Coverage.current()


if __name__ == "__main__":
    for module in _NEEDED:
        importlib.import_module(f"traptor.{module}")
    # It takes a tenth of a second, and changes only how long workers take to start.
    serving: Any = importlib.import_module("traptor.supervisor.workers.forking.serving")
    serving.rehearse = lambda *_: None
    if measured := _measured():
        measured.save()  # else each process would tell once more, at its end, what all these imports ran
    gc.collect()
    gc.freeze()  # else each process looks through all of it when it ends
    setproctitle.getproctitle()  # it finds its place only while the environment is where it was at first
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        taken = serve(orders)
    if taken is not None:
        run(taken["program"])
