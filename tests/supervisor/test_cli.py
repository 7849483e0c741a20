from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_the_forker_is_made_first_and_only_it_loads_what_workers_need(tmp_path: Path) -> None:
    ini = tmp_path / "traptor.ini"
    ini.write_text(
        "[traptor]\noutput = jsonl:out\n[supervisor]\nlog_dir = logs\nrun_dir = run\nstate_dir = state\n"
    )
    command = [sys.executable, "-c", _TELL_WHAT_IS_LOADED, str(ini)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert told.stdout.splitlines() == ["False False False", "True False False", "True False True"]
