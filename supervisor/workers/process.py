"""One worker process: fork it, signal it, notice its end."""

from __future__ import annotations

import errno
import gc
import multiprocessing
import os
import signal
import socket
import sys
import time
import warnings
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from traceback import walk_tb

import psutil

from traptor.common.birth import Birth, WorkerSettings
from traptor.common.logs.worker import WorkerLogBridge
from traptor.worker.entry import HANDLED_SIGNALS, prepare, run_worker, warm_up

_UNKNOWN = 255  # exit code of a process that was reaped elsewhere

_fork = multiprocessing.get_context("fork")


def prepare_forks(settings: WorkerSettings) -> None:
    """Load what all workers need into memory: they share it until they write to it."""
    warm_up(settings)
    gc.collect()
    gc.freeze()


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A forked worker: its pid, its end of the socketpair, and a descriptor that tells of its death."""

    pid: int
    created_at: float  # psutil's create_time; with the pid it identifies a process for good
    pidfd: int
    sock: socket.socket
    log_bridge: WorkerLogBridge
    _handle: multiprocessing.process.BaseProcess
    _prepared: object  # not used here, but kept: the worker alone would have what is freed

    @classmethod
    def fork(cls, birth: Birth, keep_fds: Collection[int]) -> WorkerProcess:
        """Start a worker for `birth`; `keep_fds` stay open in it besides its own.

        Only the main thread may call it: the parent-death signal belongs to the thread that forks.
        Raises OSError when this host has no room for another process or descriptor.
        """
        prepared = prepare(birth)
        with ExitStack() as undo:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                bridge = _bridge(birth.name)
                handle = _forked(birth, prepared, theirs, bridge, keep_fds)
            pidfd = _watched(handle)
            undo.pop_all()
        pid = handle.pid or 0
        return cls(pid, _create_time(pid), pidfd, ours, bridge, handle, prepared)

    def send_signal(self, number: signal.Signals) -> None:
        """Signal exactly this process; nothing happens when it is gone."""
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            pass

    def abandon(self) -> None:
        """End a worker that cannot be watched, and wait for its end."""
        self.send_signal(signal.SIGKILL)
        self.reap()

    def reap(self) -> int | None:
        """Return its exit code (negative: the signal that ended it); None if it was reaped elsewhere.

        Call this once its pidfd is readable.
        """
        self._handle.join()
        code = self._handle.exitcode
        if code is None:
            # multiprocessing would otherwise take it for alive, and signal whatever has the pid by then.
            self._handle._popen.returncode = _UNKNOWN  # type: ignore[attr-defined]
        self._handle.close()
        os.close(self.pidfd)
        return code


def _bridge(name: str) -> WorkerLogBridge:
    try:
        return WorkerLogBridge(name)
    except RuntimeError as error:  # "can't start new thread"
        raise OSError(errno.EAGAIN, str(error)) from error


def _forked(
    birth: Birth, prepared: object, theirs: socket.socket, bridge: WorkerLogBridge, keep_fds: Collection[int]
) -> multiprocessing.process.BaseProcess:
    handle = _fork.Process(
        target=run_worker,
        args=(birth, prepared, theirs, bridge, os.getpid(), frozenset(keep_fds)),
        name=birth.name,
        daemon=True,
    )
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
    try:
        start_fork(handle)
    except OSError as error:
        _close_pipes(error)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        bridge.after_fork_in_master()
    return handle


def _close_pipes(error: OSError) -> None:
    """Close the pipes of a failed fork: multiprocessing forgets them, and forks are retried for ever."""
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_code.co_name == "_launch":
            for name in ("parent_r", "child_w", "child_r", "parent_w"):
                if isinstance(fd := frame.f_locals.get(name), int):
                    os.close(fd)


def _watched(handle: multiprocessing.process.BaseProcess) -> int:
    """Return a descriptor that tells of its end; if there is none, kill it, as its end would go unnoticed."""
    try:
        return os.pidfd_open(handle.pid or 0)
    except OSError:
        handle.kill()
        handle.join()
        raise


def start_fork(handle: multiprocessing.process.BaseProcess) -> None:
    """Start a process that was created with the fork context."""
    # It holds names of attributes, and both sides soon need others: each name that is replaced after the fork
    # writes to two pages.
    sys._clear_type_cache()
    with warnings.catch_warnings():
        # Python 3.12+ warns of threads at a fork. Ours are log receivers and the file watcher: they hold no
        # lock that a worker takes (it replaces the log handlers first and never watches files).
        warnings.filterwarnings("ignore", message=".*use of fork\\(\\) may lead to deadlocks.*")
        handle.start()


def _create_time(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except (psutil.Error, OSError):
        return time.time()  # dead already, or there is no descriptor to look with
