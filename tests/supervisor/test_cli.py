from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from support.waiting import DEADLINE_S, wait_for

_TELL_WHAT_IS_LOADED = """
import asyncio
import sys
from traptor.supervisor import cli
from traptor.supervisor.workers.forking.keeper import ForkerKeeper

def tell(*_):
    names = "common.config.settings", "worker.session", "supervisor.master"
    print(*(f"traptor.{name}" in sys.modules for name in names))

ForkerKeeper.__enter__ = lambda keeper: tell() or keeper
ForkerKeeper.prepare = tell
asyncio.run = lambda collect: tell() or collect.close()
cli._run(cli.Path(sys.argv[1]), frozenset())
"""

_TELL_THE_ORDER_OF_THE_END = """
import asyncio
import sys
from traptor.common.logs.master import MasterLogs
from traptor.supervisor import cli
from traptor.supervisor.state.locks import RecordLock
from traptor.supervisor.workers.forking.forker import Forker

def fail(collect):
    collect.close()
    raise RuntimeError

def told(name, deed):
    return lambda ended: print(name) or deed(ended)

asyncio.run = fail
Forker.end = told("forker", Forker.end)
MasterLogs.close = told("logs", MasterLogs.close)
RecordLock.release = told("lock", RecordLock.release)
cli._run(cli.Path(sys.argv[1]), frozenset())
"""

_REHEARSE_UNTIL_THE_END = """
from traptor.supervisor import cli
from traptor.worker import warmup

warmup._LIVES = 1_000_000
cli.main()
"""

_TELL_WHAT_IS_LEFT = """
import asyncio
import sys
from pathlib import Path
from traptor.supervisor import cli
from traptor.supervisor.workers.forking.forker import Forker

Forker.prepare = lambda *_: None  # it rehearses nothing, which would remove the rest, too
asyncio.run = lambda collect: print(Path("run/rehearsal").exists()) or collect.close()
cli._run(Path(sys.argv[1]), frozenset())
"""

_INI = """
[traptor]
output = jsonl:out
[supervisor]
log_dir = logs
run_dir = run
state_dir = state
[redis]
url = redis://127.0.0.1:1
"""


def test_the_forker_is_made_first_and_only_it_loads_what_workers_need(tmp_path: Path) -> None:
    ini = tmp_path / "traptor.ini"
    ini.write_text(_INI)
    command = [sys.executable, "-c", _TELL_WHAT_IS_LOADED, str(ini)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert told.stdout.splitlines() == ["False False False", "True False False", "True False True"]


def test_a_stop_while_the_forker_rehearses_leaves_no_file(tmp_path: Path) -> None:
    """The master imports meanwhile, and does not listen yet."""
    with rehearsing(tmp_path) as supervisor:
        wait_for(lambda: files_in(tmp_path), "a life is rehearsed")
        supervisor.terminate()
        assert supervisor.wait(DEADLINE_S) == 0
    assert not (tmp_path / "run" / "rehearsal").exists()
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.long
def test_what_a_rehearsal_leaves_that_is_killed_is_removed_by_the_next_start(tmp_path: Path) -> None:
    with rehearsing(tmp_path) as supervisor:
        wait_for(lambda: files_in(tmp_path), "a life is rehearsed")
        [forker] = psutil.Process(supervisor.pid).children()
        wait_for(lambda: is_stopped_amid_a_life(forker, tmp_path), "the forker stands still amid a life")
        supervisor.kill()
        supervisor.wait(DEADLINE_S)
        wait_for(lambda: not forker.is_running(), "the forker dies with its master")
    assert files_in(tmp_path)
    command = [sys.executable, "-c", _TELL_WHAT_IS_LEFT, str(tmp_path / "traptor.ini")]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert told.stdout.split() == ["False"]
    assert list((tmp_path / "temporary").iterdir()) == [], "nothing was ever there"


@contextmanager
def rehearsing(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor whose forker rehearses until it ends."""
    (folder / "traptor.ini").write_text(_INI)
    (folder / "temporary").mkdir()
    command = [sys.executable, "-c", _REHEARSE_UNTIL_THE_END, "-c", str(folder / "traptor.ini")]
    environment = os.environ | {"TMPDIR": str(folder / "temporary")}
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL) as supervisor:
        try:
            yield supervisor
        finally:
            supervisor.kill()


def files_in(folder: Path) -> list[str]:
    """The files of a rehearsed life."""
    try:
        return os.listdir(folder / "run" / "rehearsal")
    except FileNotFoundError:
        return []


def is_stopped_amid_a_life(forker: psutil.Process, folder: Path) -> bool:
    """Stop it when it has files; where it had just removed them it goes on."""
    if not files_in(folder):
        return False
    forker.suspend()
    wait_for(lambda: forker.status() == psutil.STATUS_STOPPED, "it is stopped")
    if files_in(folder):
        return True
    forker.resume()
    return False


def test_what_a_supervisor_leaves_is_ended_before_another_may_begin(tmp_path: Path) -> None:
    ini = tmp_path / "traptor.ini"
    ini.write_text(_INI)
    command = [sys.executable, "-c", _TELL_THE_ORDER_OF_THE_END, str(ini)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert told.stdout.split() == ["forker", "logs", "lock", "lock"]
