"""`tail -F` on a worker's log."""

from __future__ import annotations

import logging
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.logworkers import LogWorker, logging_put_back, make_birth
from support.waiting import wait_for

from traptor.common.logs.event import fields
from traptor.common.logs.master import configure_master_logging
from traptor.common.logs.worker import WorkerLogs
from traptor.supervisor.host.logrotate import rotate_logs

log = logging.getLogger("traptor.test")

LINE = re.compile(r"\S+Z INFO  worker=track:0 gen=(\d+) pid=\d+ (?:load n=(\d+) filler=z{300}|last)")
LINES = 400


@pytest.fixture(autouse=True)
def master_logs(tmp_path: Path) -> Iterator[None]:
    with logging_put_back():
        logs = configure_master_logging("INFO", "text", tmp_path)
        yield
        logs.close()


def work(_logs: WorkerLogs) -> None:
    for number in range(LINES):
        log.info("load", extra=fields(n=number, filler="z" * 300))


def test_it_survives_generations_and_rotation_with_every_line_whole(tmp_path: Path) -> None:
    path, shown = tmp_path / "track:0.log", tmp_path / "tail.txt"
    path.touch()
    with shown.open("wb") as out:
        tail = subprocess.Popen(
            ["tail", "-F", "-s", "0.05", str(path)], stdout=out, stderr=subprocess.DEVNULL
        )
    try:
        for generation in range(1, 7):
            workers = [LogWorker(make_birth(tmp_path, generation=10 * generation + n), work) for n in (0, 1)]
            # One rotation while they write and one between generations; what tail has not read by then it
            # may miss, as with any rotation, but never a part of a line.
            rotate_logs(tmp_path, 20_000, 20)
            assert [worker.end() for worker in workers] == [0, 0]
            rotate_logs(tmp_path, 20_000, 20)
        assert LogWorker(make_birth(tmp_path, generation=99), lambda _logs: log.info("last")).end() == 0
        wait_for(lambda: shown.read_text().endswith("last\n"), "tail follows the name to the last line")
    finally:
        tail.terminate()
        tail.wait()
    lines = shown.read_text().splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    assert len({LINE.fullmatch(line)[1] for line in lines}) > 2, "it showed several generations"
    assert_nothing_is_lost_in(tmp_path)


def assert_nothing_is_lost_in(log_dir: Path) -> None:
    """All files together have every record of every generation once, whole, and in its order."""
    files = sorted(log_dir.glob("track:0.log*"), key=lambda path: -int(path.suffix[1:].replace("log", "0")))
    seen: dict[str, list[int]] = {}
    for file in files:
        for line in file.read_text().splitlines():
            match = LINE.fullmatch(line)
            assert match, line
            if match[2] is not None:
                seen.setdefault(match[1], []).append(int(match[2]))
    assert len(files) > 5
    assert len(seen) == 12
    assert all(numbers == list(range(LINES)) for numbers in seen.values())
