"""The logs of a running collection: their disk fails, they are rotated, their writers are killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from support.collection import Collection, Key
from support.pair import NONSENSE, descriptors_of, lines_with, start_two, tell
from support.waiting import wait_for

Make = Callable[..., Collection]

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
LINE = re.compile(rf"{STAMP} (INFO |WARNING|ERROR) .*\S")
WORKER_LINE = re.compile(rf"{STAMP} (INFO |WARNING|ERROR) worker=track:0 gen=(\d+) pid=\d+ \S.*")
CHATTER = re.compile(rf"{STAMP} WARNING worker=track:0 gen=\d+ pid=\d+ chatter n=\d+ filler=x{{80}}")


# ---- the disk


def test_streams_go_on_without_log_dir_and_what_was_lost_is_said(make_collection: Make) -> None:
    """Also those of workers that were forked meanwhile."""
    collection, before = start_two(make_collection)
    collection.sandbox.set_rules([("track", "storm"), ("follow", "42")])
    aside = collection.folder / "aside"
    collection.logs.rename(aside)
    os.kill(before["track:0"], signal.SIGKILL)
    pids = {**before, "track:0": collection.wait_new_pid("track:0", before["track:0"])}
    written = len(collection.tweets("track:0"))
    wait_for(lambda: len(collection.tweets("track:0")) > written, "tweets")
    assert collection.streaming() == pids
    stderr = (collection.folder / "stderr.txt").read_text()
    assert "log lines lost" in stderr
    assert "supervisor.log" in stderr
    assert collection.connection("track:0")["total"]["log_lost"] > 0
    aside.rename(collection.logs)
    collection.sandbox.fault("garbage")
    collection.wait_log("log lines lost", "supervisor.log")
    collection.wait_log("log lines lost", "gen=2", "track:0.log", name="track:0")
    assert collection.streaming() == pids


def test_streams_go_on_with_a_log_that_takes_nothing_and_what_was_lost_is_said(
    make_collection: Make,
) -> None:
    """In the other log at once with the reason, and in the log itself when it takes lines again.

    It is a link to another file, which stays as it is.
    """
    collection, pids = start_two(make_collection)
    collection.sandbox.set_rules([("track", "storm"), ("follow", "42")])
    log, aside = collection.logs / "track:0.log", collection.folder / "track:0.log"
    log.rename(aside)
    precious = collection.folder / "precious"
    precious.write_text("precious")
    log.symlink_to(precious)
    collection.sandbox.fault("garbage")
    collection.wait_log("log lines lost", "worker=track:0", "track:0.log", "links to files are not followed")
    wait_for(lambda: collection.connection("track:0")["total"]["log_lost"] >= 2, "the count in the status")
    log.unlink()
    collection.sandbox.fault("garbage")
    collection.wait_log("log lines lost", "count=", name="track:0")
    assert collection.streaming() == pids
    assert all(WORKER_LINE.fullmatch(line) for line in collection.log("track:0").splitlines())
    assert precious.read_text() == "precious"


# ---- rotation


@contextmanager
def tail_of(path: Path, shown: Path) -> Iterator[None]:
    """`tail -F` of a log into a file."""
    with shown.open("wb") as out:
        tail = subprocess.Popen(["tail", "-F", "-n", "+1", str(path)], stdout=out, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        tail.terminate()
        tail.wait()


@pytest.mark.long
def test_tail_follows_a_workers_log_over_twenty_generations_and_rotation(make_collection: Make) -> None:
    """By size, and by somebody else's rename with USR1; every line is whole, and none is lost."""
    collection = make_collection(Key("k1"), Key("k2"))
    collection.options = {"logging": {"rotate_size": "1K", "rotate_keep": 100}}
    collection.add_rules("track:0", ["storm"])
    shown = collection.folder / "tail.txt"
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    log = collection.logs / "track:0.log"
    with tail_of(log, shown):
        for number in range(2, 21):
            if number == 10:
                log.rename(collection.logs / "track:0.log.by-hand")
                collection.signal(signal.SIGUSR1)
            collection.hint("track:0")
            pid = collection.wait_new_pid("track:0", pid)
        wait_for(lambda: f"pid={pid} streaming" in shown.read_text(), "tail shows the last generation")
    collection.stop()
    lines = shown.read_text().splitlines()
    assert all(WORKER_LINE.fullmatch(line) for line in lines)
    files = list(collection.logs.glob("track:0.log*"))
    assert len(files) > 3, "it was rotated"
    for file in (*files, *collection.logs.glob("supervisor.log*")):
        assert all(LINE.fullmatch(line) for line in file.read_text().splitlines()), file
    everything = "".join(file.read_text() for file in files)
    for event in ("ready", "connecting", "streaming", "drained"):
        for number in range(1, 21):
            assert len(re.findall(rf" gen={number} pid=\d+ {event}\b", everything)) == 1, (event, number)


# ---- writers that are killed


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_hundred_kills_under_log_load_leave_the_master_in_order(make_collection: Make) -> None:
    """Its threads and descriptors stay as they are; its log has all its own lines, and only whole ones."""
    collection = make_collection(Key("k1"))
    collection.program = NONSENSE
    collection.options = {"supervisor": {"restart_backoff": "1ms", "restart_backoff_max": "1ms"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    assert collection.process is not None
    master = psutil.Process(collection.process.pid)
    threads, descriptors = master.num_threads(), descriptors_of(master)
    collection.sandbox.set_rules([("track", "storm")])
    tell(collection, "chatters")
    for number in range(1, 101):
        wait_for(
            lambda mine=f" gen={number} ": _tail_has(collection, mine), f"chatter of generation {number}"
        )
        for child in collection.workers():
            child.kill()
    (collection.folder / "chatters").unlink()
    wait_for(lambda: lines_with(collection, "worker ended", "gen=100 "), "the last is gone")
    wait_for(lambda: master.num_threads() <= threads, "the threads of the dead ones have ended")
    wait_for(lambda: descriptors_of(master) <= descriptors, "their descriptors are closed")
    collection.wait_streaming("track:0")
    endings = []
    for line in collection.log().splitlines():
        assert LINE.fullmatch(line), line
        if " chatter " in line:
            assert CHATTER.fullmatch(line), line
        if "worker ended" in line:
            assert "exit_code=-9" in line
            endings.append(int(line.split(" gen=")[1].split()[0]))
    assert endings == list(range(1, 101))
    assert collection.stop() == 0


def _tail_has(collection: Collection, text: str) -> bool:
    """Whether a chatter of this generation is among the last lines of supervisor.log."""
    path = collection.logs / "supervisor.log"
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 8192))
        lines = file.read().decode(errors="replace").splitlines()
    return any(text in line and " chatter " in line for line in lines)
