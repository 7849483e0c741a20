"""Children that ended: orphans are reaped, own ones keep their exit codes."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import psutil
from support.waiting import wait_for

from traptor.supervisor.host.orphans import reap_orphans


def _leave(code: int) -> None:
    os._exit(code)


def test_an_ended_orphan_is_reaped_and_an_own_child_keeps_its_exit_code() -> None:
    own = multiprocessing.get_context("fork").Process(target=_leave, args=(7,))
    own.start()
    orphan = os.fork()
    if orphan == 0:
        os._exit(0)
    assert own.pid
    for pid in (own.pid, orphan):
        wait_for(lambda pid=pid: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, f"{pid} ended")
    assert reap_orphans() == [orphan]
    own.join(10)
    assert own.exitcode == 7
    own.close()


def test_a_child_that_runs_is_left_alone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert reap_orphans() == []
        assert child.poll() is None
    finally:
        child.communicate()
    assert child.returncode is not None
