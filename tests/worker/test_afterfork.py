"""What a fresh fork keeps of its master."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.connection import Connection

import pytest
from support.waiting import DEADLINE_S

from traptor.worker import afterfork
from traptor.worker.afterfork import leave_parent


def _open_after(master_pid: int, keep: frozenset[int], others: list[int], answer: Connection) -> None:
    leave_parent(master_pid, {*keep, answer.fileno()})
    answer.send([fd for fd in [0, 1, 2, *keep, *others] if _is_open(fd)])


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("can_close_ranges", [True, False])
def test_a_fork_keeps_its_own_descriptors_and_standard_ones_and_closes_all_others(
    can_close_ranges: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_close_ranges:
        monkeypatch.setattr(afterfork, "_close_range", lambda _first, _last: False)
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(40)]
    keep, others = frozenset({opened[0], opened[7], opened[8], opened[39]}), opened[1:7] + opened[9:39]
    theirs, ours = multiprocessing.Pipe()
    args = (os.getpid(), frozenset({*keep, 1_000_000}), others, theirs)
    process = multiprocessing.get_context("fork").Process(target=_open_after, args=args, daemon=True)
    try:
        process.start()
        assert ours.poll(30)
        assert set(ours.recv()) == {0, 1, 2, *keep}
        process.join(DEADLINE_S)
        assert process.exitcode == 0
    finally:
        process.kill()
        for fd in opened:
            os.close(fd)
        ours.close()
        theirs.close()


def _interval_after(master_pid: int, answer: Connection) -> None:
    leave_parent(master_pid, {answer.fileno()})
    answer.send(sys.getswitchinterval())


def test_a_fork_does_not_keep_that_a_thread_of_the_master_hurries() -> None:
    usual = sys.getswitchinterval()
    theirs, ours = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=_interval_after, args=(os.getpid(), theirs), daemon=True
    )
    sys.setswitchinterval(usual / 5)  # as while a request about rules is answered
    try:
        process.start()
        assert ours.poll(DEADLINE_S)
        assert ours.recv() == pytest.approx(usual)
        process.join(DEADLINE_S)
    finally:
        sys.setswitchinterval(usual)
        process.kill()
        ours.close()
        theirs.close()
