"""While a program imports what it needs, Ctrl-C ends it without a traceback, and nothing is collected."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys

import pytest
from support.waiting import DEADLINE_S

from traptor.supervisor.host.importing import importing

# Sends the signal when the program imports its command: a module that is large, and not the last one.
INTERRUPTED = """
import importlib, os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, {handler})
sys.meta_path.insert(0, Interrupt())
sys.argv = ["program", "--version"]
importlib.import_module(sys.stdin.read()).main()
"""


def run(module: str, handler: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(handler=handler)],
        input=module,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("module", ["traptor.supervisor.__main__", "traptor.supervisor.ctl.__main__"])
def test_an_interrupt_while_it_imports_ends_it_without_a_traceback(module: str) -> None:
    assert run(module, "signal.default_int_handler") == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("module", ["traptor.supervisor.__main__", "traptor.supervisor.ctl.__main__"])
def test_an_interrupt_that_is_ignored_stays_ignored(module: str) -> None:
    code, said, errors = run(module, "signal.SIG_IGN")
    assert (code, errors) == (0, "")
    assert "version" in said


def test_what_is_imported_is_never_collected_and_what_comes_later_is() -> None:
    try:
        with importing():
            assert not gc.isenabled()
            imported = [[]]
        assert gc.isenabled()
        assert not any(one is imported for one in gc.get_objects())
        later = [[]]
        assert any(one is later for one in gc.get_objects())
    finally:
        gc.unfreeze()
