"""The locks, between real processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.waiting import DEADLINE_S

from traptor.common.errors import AlreadyRunning, TraptorError
from traptor.supervisor.state.locks import RecordLock, WorkersLock, lock_holder

_fork = multiprocessing.get_context("fork")


def _in_child(job: object, *args: object) -> int:
    """The exit code of `job` run in a forked child."""
    process = _fork.Process(target=job, args=args)  # type: ignore[arg-type]  # any callable will do
    process.start()
    process.join(DEADLINE_S)
    assert process.exitcode is not None
    return process.exitcode


def _take(path: Path) -> None:
    try:
        RecordLock(path).take()
    except AlreadyRunning as error:
        raise SystemExit(7 if str(os.getppid()) in str(error) else 8) from None


def test_a_second_process_is_refused_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "master.lock"
    lock = RecordLock(path)
    lock.take()
    assert _in_child(_take, path) == 7
    lock.release()
    assert _in_child(_take, path) == 0


def test_a_master_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    def take_and_die(path: Path) -> None:
        RecordLock(path).take()
        os.kill(os.getpid(), signal.SIGKILL)

    path = tmp_path / "master.lock"
    assert _in_child(take_and_die, path) == -signal.SIGKILL
    lock = RecordLock(path)
    lock.take()
    lock.release()


def test_the_workers_lock_is_held_as_long_as_one_worker_lives(tmp_path: Path) -> None:
    path = tmp_path / "workers.lock"
    first = WorkersLock(path)
    assert first.try_take()
    may_end = _fork.Event()
    worker = _fork.Process(target=may_end.wait, args=(30,))
    worker.start()
    first.release()  # the master is gone, the worker keeps its copy of the descriptor
    second = WorkersLock(path)
    assert not second.try_take()
    may_end.set()
    worker.join(DEADLINE_S)
    assert second.try_take()
    second.release()


def test_a_folder_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(TraptorError, match="must be able to write there"):
        RecordLock(tmp_path / "missing" / "master.lock").take()


def test_whoever_holds_a_lock_is_told_and_not_disturbed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert lock_holder(path) is None, "there is no file"
    path.touch()
    assert lock_holder(path) is None
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert lock_holder(path) == holder.pid
        assert lock_holder(path) == holder.pid
        holder.communicate()
    assert lock_holder(path) is None


HOLDS = """
import sys
from pathlib import Path
from traptor.supervisor.state.locks import RecordLock
RecordLock(Path(sys.argv[1])).take()
print("held", flush=True)
sys.stdin.read()
"""


def test_no_lock_is_taken_through_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "lock").symlink_to(precious)
    with pytest.raises(TraptorError, match="lock"):
        RecordLock(tmp_path / "lock").take()
    with pytest.raises(TraptorError, match="lock"):
        WorkersLock(tmp_path / "lock")
    assert precious.read_text() == "precious"
