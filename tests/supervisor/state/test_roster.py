"""The list of living workers that a dead master leaves."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from support.waiting import DEADLINE_S

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


def test_a_link_a_file_of_somebody_else_or_no_file_at_all_names_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "workers.json", tmp_path / "elsewhere"
    Roster(real).write([RosterEntry(4711, 1.0, "track:0", 1)])
    path.symlink_to(real)
    assert Roster(path).read() == ()
    path.unlink()
    os.mkfifo(path)
    assert Roster(path).read() == ()
    path.unlink()
    real.rename(path)
    assert len(Roster(path).read()) == 1
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert Roster(path).read() == ()


def test_no_file_is_written_through_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / ".workers.json.new").symlink_to(precious)
    Roster(tmp_path / "workers.json").write([])
    assert precious.read_text() == "precious"
    assert (tmp_path / "workers.json").read_text() == "[]"


def test_nobody_else_may_write_to_the_file_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        Roster(tmp_path / "workers.json").write([])
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "workers.json").stat().st_mode) == 0o644


@contextmanager
def process_called(title: str) -> Iterator[subprocess.Popen[bytes]]:
    program = f"import setproctitle; setproctitle.setproctitle({title!r}); print(flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_process_that_is_meant_is_ended_and_no_other() -> None:
    with process_called("traptor: track:0 [streaming]") as process:
        created = psutil.Process(process.pid).create_time()
        assert not end_process(RosterEntry(process.pid, created - 100, "track:0", 1))
        assert not end_process(RosterEntry(process.pid, created, "track:1", 1))
        assert process.poll() is None
        assert end_process(RosterEntry(process.pid, created, "track:0", 1))
        assert process.wait(DEADLINE_S) == -9
        assert not end_process(RosterEntry(process.pid, created, "track:0", 1))


@pytest.mark.parametrize("title", ["precious", "vi traptor: track:0 [ready]", "traptor: track:01 [ready]"])
def test_a_process_that_is_no_worker_is_left_alone_whatever_the_list_says(title: str) -> None:
    with process_called(title) as process:
        created = psutil.Process(process.pid).create_time()
        assert not end_process(RosterEntry(process.pid, created, "track:0", 1))
        assert process.poll() is None


def test_a_process_of_somebody_else_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with process_called("traptor: track:0 [streaming]") as process:
        created = psutil.Process(process.pid).create_time()
        monkeypatch.setattr(os, "geteuid", lambda: 54321)
        assert not end_process(RosterEntry(process.pid, created, "track:0", 1))
        assert process.poll() is None
