"""The list of living workers that a dead master leaves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from traptor.supervisor.state.roster import Roster, RosterEntry, end_process


def test_what_was_written_is_read(tmp_path: Path) -> None:
    roster = Roster(tmp_path / "workers.json")
    entries = (
        RosterEntry(4711, 1790000000.5, "track:0", 3),
        RosterEntry(4712, 1790000001.5, "follow:0.2", 1),
    )
    roster.write(entries)
    assert roster.read() == entries
    assert [path.name for path in tmp_path.iterdir()] == ["workers.json"]


def test_a_missing_or_foreign_file_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "workers.json"
    for content in (None, "", "{", "[1]", '{"a": 1}', '[{"pid": 1}]'):
        if content is not None:
            path.write_text(content)
        assert Roster(path).read() == ()


def test_the_process_that_is_meant_is_ended_and_no_other() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        created = psutil.Process(process.pid).create_time()
        assert not end_process(RosterEntry(process.pid, created - 100, "track:0", 1))
        assert process.poll() is None
        assert end_process(RosterEntry(process.pid, created, "track:0", 1))
        assert process.wait(10) == -9
        assert not end_process(RosterEntry(process.pid, created, "track:0", 1))
    finally:
        process.kill()
        process.communicate()
