"""Forks of this process itself: the forker, and children that live for one answer."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from typing import NoReturn

from traptor.common.errors import ExitCode


def start_fork(handle: BaseProcess) -> None:
    """Start a process that was created with the fork context."""
    with before_fork():
        handle.start()


@contextmanager
def before_fork() -> Iterator[None]:
    """Prepare this process for a fork inside the block."""
    flush_streams()  # else both sides would write what waits in them
    # It holds names of attributes, and both sides soon need others: each name that is replaced after the fork
    # writes to two pages.
    sys._clear_type_cache()
    with warnings.catch_warnings():
        # Python 3.12+ warns of threads at a fork. Ours are the log receiver and the file watcher: they hold
        # no lock that a child takes (it drops the log handlers first and never watches files).
        warnings.filterwarnings("ignore", message=".*use of fork\\(\\) may lead to deadlocks.*")
        yield


def flush_streams() -> None:
    """Write what waits in stdout and stderr, where they are there and somebody reads them."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it was closed when Python started
            with suppress(OSError, ValueError):
                stream.flush()


def live(work: Callable[[], None]) -> NoReturn:
    """Do the work of a process that was just forked, and end with its exit code; nothing here may return."""
    code = int(ExitCode.FAILURE)
    try:
        work()
        code = int(ExitCode.OK)
    except SystemExit as wanted:
        code = int(wanted.code or 0)
    except BaseException:  # noqa: BLE001  # what was inherited above this call must not run
        traceback.print_exc()
    finally:
        flush_streams()
        os._exit(code)


def watched(pid: int) -> int:
    """Return a pidfd of a child; if there is none, kill it, as its end would go unnoticed. Raises OSError."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        kill(pid)
        raise


def kill(pid: int) -> None:
    """Kill a child, and wait for its end."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
