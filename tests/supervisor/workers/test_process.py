"""A worker process is noticed and reaped whatever the master inherited, and an unborn one leaves nothing."""

from __future__ import annotations

import errno
import gc
import os
import select
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from support.leftovers import Leftovers
from support.logworkers import make_birth
from support.waiting import DEADLINE_S, wait_for

from traptor.common.logs.worker import receiver_of_records
from traptor.supervisor.workers.forking import serving
from traptor.supervisor.workers.forking.forker import Forker
from traptor.supervisor.workers.process import WorkerProcess
from traptor.worker.afterfork import leave_parent


def _sleep(_connection: str, fds: Sequence[int], parent_pid: int) -> None:
    leave_parent(parent_pid, fds)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.pause()


@pytest.fixture(autouse=True)
def sleeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "run_worker", _sleep)


@pytest.fixture
def ignored_children() -> Iterator[None]:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.fixture
def forker(sleeping: None) -> Iterator[Forker]:
    forker = Forker.start()
    yield forker
    if not forker.is_lost:
        forker.end()


def end(worker: WorkerProcess) -> int | None:
    worker.send_signal(signal.SIGKILL)
    select.select([worker.pidfd], [], [], DEADLINE_S)
    worker.sock.close()
    return worker.reap()


def test_a_worker_is_reaped_with_its_exit_code(tmp_path: Path, forker: Forker) -> None:
    worker = WorkerProcess.fork(forker, make_birth(tmp_path), receiver_of_records(), 0, ())
    assert psutil.Process(worker.pid).ppid() == forker.pid
    assert end(worker) == -signal.SIGKILL
    assert not psutil.pid_exists(worker.pid)


def test_it_is_so_too_when_the_end_of_children_is_ignored(
    tmp_path: Path, ignored_children: None, forker: Forker
) -> None:
    worker = WorkerProcess.fork(forker, make_birth(tmp_path), receiver_of_records(), 0, ())
    assert end(worker) == -signal.SIGKILL
    assert not psutil.pid_exists(worker.pid)


def test_a_worker_whose_forker_is_gone_ends_too(tmp_path: Path, forker: Forker) -> None:
    worker = WorkerProcess.fork(forker, make_birth(tmp_path), receiver_of_records(), 0, ())
    os.kill(forker.pid, signal.SIGKILL)
    assert select.select([worker.pidfd], [], [], DEADLINE_S)[0], "it died with its forker"
    forker.end()
    worker.send_signal(signal.SIGKILL)  # nobody is hit
    assert worker.reap() is None
    worker.sock.close()


def test_a_dead_worker_keeps_its_number_until_it_is_reaped(tmp_path: Path, forker: Forker) -> None:
    worker = WorkerProcess.fork(forker, make_birth(tmp_path), receiver_of_records(), 0, ())
    os.kill(worker.pid, signal.SIGKILL)
    select.select([worker.pidfd], [], [], DEADLINE_S)
    end(WorkerProcess.fork(forker, make_birth(tmp_path), receiver_of_records(), 0, ()))
    assert psutil.Process(worker.pid).status() == psutil.STATUS_ZOMBIE
    assert end(worker) == -signal.SIGKILL


def test_a_worker_that_cannot_be_watched_is_ended(tmp_path: Path, forker: Forker) -> None:
    worker = WorkerProcess.fork(forker, make_birth(tmp_path), receiver_of_records(), 0, ())
    worker.abandon()
    worker.sock.close()
    assert not psutil.pid_exists(worker.pid)


def fails(forker: Forker, folder: Path) -> str:
    """The reason why no worker can be forked."""
    try:
        WorkerProcess.fork(forker, make_birth(folder), receiver_of_records(), 0, ())
    except OSError as error:
        return str(error)
    raise AssertionError("it was forked")


def wait_gone(left: Leftovers) -> None:
    """Wait until the thread of the log has ended and what nobody needs any more is collected."""
    wait_for(lambda: gc.collect() >= 0 and not left.now, "nothing is left of it")


def test_without_room_for_a_thread_no_worker_is_made_and_nothing_is_left(
    tmp_path: Path, forker: Forker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    left = Leftovers()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        assert "can't start new thread" in fails(forker, tmp_path)
    wait_gone(left)


def test_without_room_for_a_pipe_nothing_is_left(
    tmp_path: Path, forker: Forker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    left = Leftovers()
    with monkeypatch.context() as patch:
        patch.setattr(os, "pipe", fail)
        assert "Too many open files" in fails(forker, tmp_path)
    wait_gone(left)


@pytest.mark.parametrize("call", ["fork", "pidfd_open"])
def test_where_the_forker_has_no_room_nothing_is_left(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, real = os.getpid(), getattr(os, call)

    def fail(*args: object) -> object:
        if os.getpid() == here:
            return real(*args)
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, call, fail)
    forker = Forker.start()
    left = Leftovers()
    try:
        assert "Resource temporarily unavailable" in fails(forker, tmp_path)
        wait_gone(left)
        assert not psutil.Process(forker.pid).children()
    finally:
        forker.end()
