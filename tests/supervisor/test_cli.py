from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_TELL_WHAT_IS_LOADED = """
import sys
from traptor.supervisor import cli
from traptor.supervisor.workers.forking.keeper import ForkerKeeper

loaded = []
ForkerKeeper.__enter__ = lambda keeper: loaded.extend(sys.modules) or keeper
cli.asyncio.run = lambda collect: collect.close()
cli._take_locks = lambda _supervisor: []
cli._run(cli.load_settings(cli.Path(sys.argv[1])))
print("traptor.worker.session" in loaded, "traptor.supervisor.master" in loaded)
"""


def test_the_forker_has_in_memory_what_workers_need_and_not_the_master(tmp_path: Path) -> None:
    ini = tmp_path / "traptor.ini"
    ini.write_text("[traptor]\noutput = jsonl:out\n[supervisor]\nlog_dir = logs\n")
    command = [sys.executable, "-c", _TELL_WHAT_IS_LOADED, str(ini)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert told.stdout.split() == ["True", "False"]
