"""One worker process: have it forked, signal it, notice its end."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass

import psutil

from traptor.common.birth import Birth
from traptor.common.logs.receiver import RecordReceiver
from traptor.common.logs.worker import WorkerLogBridge
from traptor.supervisor.workers.forking.forker import Forker, wait_for_end

_END_S = 5.0  # for the kernel, to end a killed process


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A forked worker: its pid, our end of the socketpair, and a descriptor that tells of its death.

    It waits for its birth: the frame of `common.birthframe`, and the rules.
    """

    pid: int
    created_at: float  # psutil's create_time; with the pid it identifies a process for good
    pidfd: int
    sock: socket.socket
    log_bridge: WorkerLogBridge
    _forker: Forker

    @classmethod
    def fork(
        cls,
        forker: Forker,
        birth: Birth,
        logs: RecordReceiver,
        bell: int,
        keep_fds: Collection[int],
    ) -> WorkerProcess:
        """Have a worker forked for `birth`; it rings `bell`, and `keep_fds` stay open in it besides.

        `logs` receives its log records.

        Raises OSError when this host has no room for another process or descriptor, or the forker is lost.
        """
        with ExitStack() as undo:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                bridge = WorkerLogBridge(logs)
                try:
                    fds = (theirs.fileno(), bridge.writer, bell, *keep_fds)
                    pid, pidfd = forker.fork(birth.connection, fds)
                finally:
                    bridge.after_fork_in_master()
            undo.pop_all()
        return cls(pid, _create_time(pid), pidfd, ours, bridge, forker)

    def send_signal(self, number: signal.Signals) -> None:
        """Signal exactly this process; nothing happens when it is gone."""
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            pass

    def abandon(self) -> None:
        """End a worker that cannot be watched, and wait for its end."""
        self.send_signal(signal.SIGKILL)
        wait_for_end(self.pidfd, _END_S)
        self.reap()

    def reap(self) -> int | None:
        """Return its exit code (negative: the signal that ended it); None if nobody knows it.

        Call this once its pidfd is readable.
        """
        code = self._forker.reap(self.pid)
        os.close(self.pidfd)
        return code


def _create_time(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except (psutil.Error, OSError):
        return time.time()  # dead already, or there is no descriptor to look with
