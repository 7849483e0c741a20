"""A worker process is noticed and reaped whatever the master inherited, and an unborn one leaves nothing."""

from __future__ import annotations

import errno
import gc
import os
import select
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.leftovers import Leftovers
from support.logworkers import make_birth
from support.waiting import DEADLINE_S, wait_for

from traptor.supervisor.workers import process as process_module
from traptor.supervisor.workers.process import WorkerProcess


def _sleep(*_args: object) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.pause()


@pytest.fixture(autouse=True)
def sleeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "run_worker", _sleep)


@pytest.fixture
def ignored_children() -> Iterator[None]:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


def end(worker: WorkerProcess) -> int | None:
    worker.send_signal(signal.SIGKILL)
    select.select([worker.pidfd], [], [], DEADLINE_S)
    worker.sock.close()
    return worker.reap()


def test_a_worker_is_reaped_with_its_exit_code(tmp_path: Path) -> None:
    assert end(WorkerProcess.fork(make_birth(tmp_path), ())) == -signal.SIGKILL


def test_a_worker_that_somebody_else_reaped_ends_too(tmp_path: Path, ignored_children: None) -> None:
    worker = WorkerProcess.fork(make_birth(tmp_path), ())
    assert end(worker) is None
    assert not psutil.pid_exists(worker.pid)


def fails(folder: Path) -> str:
    """The reason why no worker can be forked."""
    try:
        WorkerProcess.fork(make_birth(folder), ())
    except OSError as error:
        return str(error)
    raise AssertionError("it was forked")


def wait_gone(left: Leftovers) -> None:
    """Wait until the thread of the log has ended and what nobody needs any more is collected."""
    wait_for(lambda: gc.collect() >= 0 and not left.now, "nothing is left of it")


def test_without_room_for_a_thread_no_worker_is_made_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    left = Leftovers()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        assert "can't start new thread" in fails(tmp_path)
    wait_gone(left)


@pytest.mark.parametrize("call", ["fork", "pidfd_open", "pipe"])
def test_without_room_for_a_process_or_descriptor_nothing_is_left(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    left = Leftovers()
    children = set(psutil.Process().children())
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        assert "Too many open files" in fails(tmp_path)
    wait_gone(left)
    assert set(psutil.Process().children()) <= children
