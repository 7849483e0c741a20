"""A process that was forked ends by the exit code of its work, and nothing above the fork runs in it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import pytest

from traptor.supervisor.workers.forking.serving import live


def _fail() -> None:
    raise ValueError("told to fail")


def _exit_with(code: int | None) -> Callable[[], None]:
    return lambda: sys.exit(code)


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (lambda: None, 0),
        (_exit_with(None), 0),
        (_exit_with(3), 3),
        (_fail, 1),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), -signal.SIGKILL),
    ],
)
def test_exit_codes(work: Callable[[], None], expected: int, capfd: pytest.CaptureFixture[str]) -> None:
    pid = os.fork()
    if not pid:
        try:
            live(work)
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == expected
    assert ("told to fail" in capfd.readouterr().err) is (work is _fail)
