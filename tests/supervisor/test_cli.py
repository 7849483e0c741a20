from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
    ini, temporary = tmp_path / "traptor.ini", tmp_path / "temporary"
    ini.write_text(_INI)
    temporary.mkdir()
    command = [sys.executable, "-c", _REHEARSE_UNTIL_THE_END, "-c", str(ini)]
    environment = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as supervisor:
        wait_for(lambda: any(temporary.iterdir()), "a life is rehearsed")
        supervisor.terminate()
        assert supervisor.wait(DEADLINE_S) == 0
    assert list(temporary.iterdir()) == []


def test_what_a_supervisor_leaves_is_ended_before_another_may_begin(tmp_path: Path) -> None:
    ini = tmp_path / "traptor.ini"
    ini.write_text(_INI)
    command = [sys.executable, "-c", _TELL_THE_ORDER_OF_THE_END, str(ini)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert told.stdout.split() == ["forker", "logs", "lock", "lock"]
