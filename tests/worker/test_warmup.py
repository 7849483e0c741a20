"""What the forker rehearses is what workers do, and nothing is left of it; each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.waiting import DEADLINE_S

from traptor.worker import warmup

_ALONE = """
import resource, sys
from pathlib import Path
from support.leftovers import Leftovers
from traptor.worker import warmup
folder = Path(sys.argv[1]) / "rehearsal"
"""
_LIVE = "warmup.live_once(Path(sys.argv[1]))"
_REHEARSE = """
left = Leftovers()
warmup.rehearse(lambda: False, folder)
left.wait_gone()
"""
_WITHOUT_DESCRIPTORS = (
    "resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))\nwarmup.rehearse(lambda: False, folder)"
)
_WITHOUT_AN_OUTBOX = """
from traptor.worker.outbox.file import DiskFull
from traptor.worker.outbox.folder import OutboxFolder
tries = []
def create(self):
    tries.append(self)
    raise DiskFull("no room")
OutboxFolder.create = create
warmup.rehearse(lambda: False, folder)
print(len(tries) > 0)
"""
_WITH_A_FAULT = """
from traptor.worker.session import Session
def fault(self, order):
    raise RuntimeError
Session._serve = fault
warmup.rehearse(lambda: False, folder)
"""


def _run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(sys.path)
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": paths}
    command = [sys.executable, "-c", _ALONE + program, str(folder)]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True, timeout=DEADLINE_S
    )


def test_a_rehearsed_life_goes_from_the_birth_to_a_delivered_tweet_and_its_end(tmp_path: Path) -> None:
    said = _run(_LIVE, tmp_path)
    (line,) = (tmp_path / "rehearsal.jsonl").read_text().splitlines()
    assert [rule["rule_value"] for rule in json.loads(line)["traptor"]["collection_rules"]] == ["word"]
    log = (tmp_path / "rehearsal.log").read_text()
    for event in ("starting", "ready", "connecting", "streaming", "stream ended", "drained"):
        assert f" {event}" in log
    assert "ERROR" not in log
    assert (said.stdout, said.stderr) == ("", "")


def test_a_rehearsal_leaves_neither_thread_nor_descriptor_nor_file(tmp_path: Path) -> None:
    said = _run(_REHEARSE, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert (said.stdout, said.stderr) == ("", "")


@pytest.mark.parametrize("program", [_WITHOUT_DESCRIPTORS, _WITH_A_FAULT])
def test_where_it_cannot_be_rehearsed_it_ends(program: str, tmp_path: Path) -> None:
    said = _run(program, tmp_path)
    assert (said.stdout, said.stderr) == ("", "")


def test_a_rehearsal_does_not_wait_for_room_in_an_outbox(tmp_path: Path) -> None:
    said = _run(_WITHOUT_AN_OUTBOX, tmp_path)
    assert (said.stdout, said.stderr) == ("True\n", "")


@pytest.mark.parametrize("most", [0, 2])
def test_a_rehearsal_ends_as_soon_as_a_worker_is_wanted(
    most: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lives: list[Path] = []
    monkeypatch.setattr(warmup, "live_once", lives.append)
    warmup.rehearse(lambda: len(lives) == most, tmp_path / "rehearsal")
    assert len(lives) == most
