"""Whatever the supervisor inherits (signals, streams, limits), it collects and can be stopped."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from support.collection import Collection, Key
from support.paths import ROOT
from support.waiting import DEADLINE_S, wait_for

Make = Callable[..., Collection]

# Runs the supervisor with what comes before it.
_THEN_RUN = (
    "import os, signal, sys; {};"
    " os.execv(sys.executable, [sys.executable, '-m', 'traptor.supervisor', *sys.argv[1:]])"
)
IGNORED = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
BLOCKED = "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())"


def starting(make: Make, first: str, *keys: Key) -> Collection:
    collection = make(*(keys or (Key("k1"),)))
    collection.program = ("-c", _THEN_RUN.format(first))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    return collection


@pytest.mark.parametrize("first", [IGNORED, BLOCKED, f"{IGNORED}; {BLOCKED}"])
def test_a_worker_is_replaced_and_a_stop_works_whatever_signals_were_ignored_or_blocked(
    make_collection: Make, first: str
) -> None:
    collection = starting(make_collection, first)
    pid = collection.wait_streaming("track:0")["track:0"]
    os.kill(pid, signal.SIGKILL)
    collection.wait_new_pid("track:0", pid)
    wait_for(lambda: "crash" in [gap["cause"] for gap in collection.gaps("track:0")], "its gap is booked")
    assert collection.stop() == 0


@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1, 2)])
def test_closed_streams_are_no_files_of_ours(make_collection: Make, closed: tuple[int, ...]) -> None:
    collection = starting(make_collection, "; ".join(f"os.close({fd})" for fd in closed))
    pid = collection.wait_streaming("track:0")["track:0"]
    assert collection.process is not None
    for process in (collection.process.pid, pid):
        for fd in closed:
            assert str(Path(f"/proc/{process}/fd/{fd}").readlink()) == os.devnull
    assert collection.stop() == 0


@pytest.mark.parametrize(
    ("section", "option"), [("traptor", {"output": "jsonl:-"}), ("supervisor", {"log_dir": "-"})]
)
def test_what_goes_to_a_closed_stdout_is_refused(
    make_collection: Make, section: str, option: dict[str, object]
) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {section: option}
    collection.write_ini()
    collection.folder.joinpath("output").mkdir(exist_ok=True)
    ended = subprocess.run(
        [sys.executable, "-c", _THEN_RUN.format("os.close(1)"), "-c", str(collection.ini)],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert ended.returncode == 78
    assert f"[{section}] {next(iter(option))}: is stdout, but stdout is closed" in ended.stderr


def test_two_thousand_connections_to_the_control_socket_end_no_stream(make_collection: Make) -> None:
    collection = starting(make_collection, "pass")
    pids = collection.wait_streaming("track:0")
    assert collection.process is not None
    psutil.Process(collection.process.pid).rlimit(psutil.RLIMIT_NOFILE, (1024, 1024))
    path = str(collection.run_dir / "control.sock")
    with ExitStack() as stack:
        for _ in range(2_000):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.setblocking(False)
            try:
                sock.connect(path)
            except BlockingIOError:  # its backlog is full for now
                continue
        at = collection.status()["at"]
        wait_for(lambda: collection.status()["at"] > at + 2, "it goes on")
        assert psutil.Process(collection.process.pid).num_fds() < 200
        assert collection.streaming() == pids
    assert not collection.status()["jobs"]
    assert collection.stop() == 0


@pytest.mark.long
def test_out_of_descriptors_every_stream_goes_on_and_what_waited_is_done_later(make_collection: Make) -> None:
    collection = starting(make_collection, "pass", Key("k1"), Key("k2"))
    collection.add_rules("follow:0", ["1"])
    collection.hint("follow:0")
    pids = collection.wait_streaming("track:0", "follow:0")
    assert collection.process is not None
    master = psutil.Process(collection.process.pid)
    before = master.rlimit(psutil.RLIMIT_NOFILE)
    master.rlimit(psutil.RLIMIT_NOFILE, (4, before[1]))  # all numbers below are taken
    collection.wait_log(" ERROR ", "Too many open files")
    os.kill(pids["track:0"], signal.SIGKILL)
    collection.wait_log(" ERROR ", "cannot fork a worker", "Too many open files")
    assert psutil.Process(pids["follow:0"]).is_running()
    master.rlimit(psutil.RLIMIT_NOFILE, before)
    collection.wait_new_pid("track:0", pids["track:0"])
    assert collection.streaming()["follow:0"] == pids["follow:0"]
    assert collection.stop() == 0


def test_usr2_writes_the_status_into_the_log(make_collection: Make) -> None:
    collection = starting(make_collection, "pass")
    pid = collection.wait_streaming("track:0")["track:0"]
    collection.signal(signal.SIGUSR2)
    collection.wait_log(" status of a connection ", "connection=track:0", "state=STREAMING", f"pid={pid}")
    collection.wait_log(" status of a key ", "key=k1")
    assert collection.stop() == 0


def test_quit_stops_without_waiting_for_the_output_and_keeps_what_waits(make_collection: Make) -> None:
    """The exit is in order; what was not delivered is delivered by the next start."""
    collection = make_collection(Key("k1"))
    collection.options = {"supervisor": {"drain_timeout": "10m"}}
    collection.add_rules("track:0", ["storm"])
    collection.sandbox.set_rules([("track", "storm")])
    collection.start()
    collection.wait_streaming("track:0")
    wait_for(lambda: collection.tweets("track:0"), "tweets")
    away = collection.output.rename(collection.folder / "away")
    collection.output.touch()  # a file in the place of the folder
    (away / "track:0.jsonl").rename(collection.folder / "old.jsonl")
    wait_for(lambda: collection.connection("track:0")["outbox"]["messages"] > 5, "messages that wait")
    collection.signal(signal.SIGQUIT)
    assert collection.process is not None
    assert collection.process.wait(DEADLINE_S) == 0
    collection.output.unlink()
    away.rename(collection.output)
    collection.start()
    wait_for(lambda: len(collection.tweets("track:0")) > 5, "what waited is delivered")
    assert collection.stop() == 0


def test_with_no_umask_at_all_nobody_else_may_write_to_what_is_made(make_collection: Make) -> None:
    collection = starting(make_collection, "os.umask(0)")
    collection.wait_streaming("track:0")
    for folder in (collection.run_dir, collection.folder / "state", collection.logs, collection.output):
        for place in (folder, *folder.rglob("*")):
            others = stat.S_IMODE(place.stat().st_mode) & 0o022
            assert not others or place.name == "control.sock", f"{place}: {others:o}"
    assert list(collection.output.glob("*.jsonl"))
    assert collection.stop() == 0


@pytest.mark.parametrize("option", ["run_dir", "state_dir", "log_dir", "output"])
def test_a_folder_that_others_may_write_to_is_refused(make_collection: Make, option: str) -> None:
    collection = make_collection(Key("k1"))
    folder = collection.folder / "open"
    folder.mkdir()
    folder.chmod(0o777)
    collection.options = (
        {"traptor": {option: f"jsonl:{folder}"}} if option == "output" else {"supervisor": {option: folder}}
    )
    collection.write_ini()
    command = [sys.executable, "-m", "traptor.supervisor", "-c", str(collection.ini)]
    for more in ((), ("--check",)):
        ended = subprocess.run(
            [*command, *more], capture_output=True, text=True, check=False, timeout=DEADLINE_S
        )
        assert ended.returncode == 78
        assert f"everybody may write to {folder}: `chmod go-w {folder}`" in ended.stdout + ended.stderr


@pytest.mark.long
def test_without_inotify_it_starts_and_a_changed_key_file_is_found_by_comparing(
    make_collection: Make,
) -> None:
    collection = make_collection(Key("k1"))
    collection.program = (str(ROOT / "tests" / "support" / "noinotify.py"),)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    pids = collection.wait_streaming("track:0")
    line = collection.wait_log(" WARNING ", "files cannot be watched, they are compared every 5 s")
    assert "raise fs.inotify.max_user_instances" in line
    collection.keys.append(Key("k2"))
    collection.write_ini()
    collection.wait_log(" keys ", "added=k2")
    assert collection.streaming() == pids
    assert collection.stop() == 0
