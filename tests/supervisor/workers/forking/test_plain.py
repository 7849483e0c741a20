"""A fork of this process itself says nothing, whatever else runs in it."""

from __future__ import annotations

import multiprocessing
import threading
import warnings

from support.waiting import DEADLINE_S

from traptor.supervisor.workers.forking.plain import start_fork


def test_threads_of_this_process_are_no_warning() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    child = multiprocessing.get_context("fork").Process(target=lambda: None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            start_fork(child)
        child.join(DEADLINE_S)
        assert child.exitcode == 0
    finally:
        done.set()
        thread.join()
