"""One worker process: fork it, signal it, notice its end."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
import time
import warnings
from collections.abc import Collection
from dataclasses import dataclass

import psutil

from traptor.common.birth import Birth, WorkerSettings
from traptor.common.logs.worker import WorkerLogBridge
from traptor.worker.entry import HANDLED_SIGNALS, run_worker, warm_up

_fork = multiprocessing.get_context("fork")


def prepare_forks(settings: WorkerSettings) -> None:
    """Have in memory what all workers need: they share it until they write to it."""
    warm_up(settings)
    gc.collect()
    gc.freeze()


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A forked worker: its pid, its end of the socketpair, and a descriptor that tells of its death."""

    pid: int
    created_at: float  # psutil's create_time; with the pid it names a process for good
    pidfd: int
    sock: socket.socket
    log_bridge: WorkerLogBridge
    _handle: multiprocessing.process.BaseProcess

    @classmethod
    def fork(cls, birth: Birth, keep_fds: Collection[int]) -> WorkerProcess:
        """Start a worker for `birth`; `keep_fds` stay open in it besides its own.

        Only the main thread may call it: the parent-death signal belongs to the thread that forks.
        Raises OSError when this host has no room for another process or descriptor.
        """
        ours, theirs = socket.socketpair()
        bridge = WorkerLogBridge(birth.name)
        handle = _fork.Process(
            target=run_worker,
            args=(birth, theirs, bridge, os.getpid(), frozenset(keep_fds)),
            name=birth.name,
            daemon=True,
        )
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
        try:
            start_fork(handle)
        except OSError:
            ours.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            theirs.close()
            bridge.after_fork_in_master()
        pid = handle.pid
        assert pid is not None
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:  # nobody would notice its end
            ours.close()
            handle.kill()
            handle.join()
            raise
        return cls(pid, _create_time(pid), pidfd, ours, bridge, handle)

    def send_signal(self, number: signal.Signals) -> None:
        """Signal exactly this process; nothing happens when it is gone."""
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            pass

    def reap(self) -> int:
        """Its exit code (negative: the signal that ended it). To be called once its pidfd is readable."""
        self._handle.join()
        code = self._handle.exitcode
        assert code is not None
        self._handle.close()
        os.close(self.pidfd)
        return code


def start_fork(handle: multiprocessing.process.BaseProcess) -> None:
    """Start a process that was made with the fork context."""
    with warnings.catch_warnings():
        # Python 3.12+ warns of threads at a fork. Ours are log receivers and the file watcher: they hold no
        # lock that a worker takes (it replaces the log handlers first and never watches files).
        warnings.filterwarnings("ignore", message=".*use of fork\\(\\) may lead to deadlocks.*")
        handle.start()


def _create_time(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return time.time()  # dead already, not yet reaped elsewhere: the pidfd will tell
