"""The mark that a generation leaves: what was written last is read, whatever became of the writer."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from traptor.common.files.mark import MARK, Mark, MarkFile, read_mark


def test_the_last_mark_is_read_back(tmp_path: Path) -> None:
    file = MarkFile(tmp_path)
    file.write(Mark(safe_until_wall=1.5, safe_until=2.5, since=0.5))
    file.write(Mark(safe_until_wall=1_790_000_000.25, safe_until=77.125, since=70.0))
    file.close()
    mark = read_mark(tmp_path)
    assert mark == Mark(safe_until_wall=1_790_000_000.25, safe_until=77.125, since=70.0)
    assert mark.since_wall == 1_789_999_993.125


def test_it_survives_the_kill_of_its_writer(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        MarkFile(tmp_path).write(Mark(3.0, 4.0, 2.0))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert read_mark(tmp_path) == Mark(3.0, 4.0, 2.0)


def test_a_folder_without_a_whole_mark_has_none(tmp_path: Path) -> None:
    assert read_mark(tmp_path) is None
    (tmp_path / MARK).write_bytes(b"short")
    assert read_mark(tmp_path) is None
