"""Workers that die, hang, or send nonsense, and a master that is stopped; no other worker is touched."""

from __future__ import annotations

import itertools
import os
import resource
import signal
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psutil
import pytest
from support.collection import Collection, Key
from support.losses import check_all_written, check_nothing_lost
from support.pair import NONSENSE, TICKS_S, lines_with, put_aside, start_two, tell, times, wait_gap
from support.waiting import wait_for

Make = Callable[..., Collection]

# Quick enough for a test; what is tested is that it counts, not how long it is.
HANG = {"hang_timeout": "3s"}


# ---- death


def test_a_killed_worker_is_replaced_and_no_other(make_collection: Make) -> None:
    """What was read and not written lies inside the one gap, `crash`; nothing of the dead one is left."""
    collection, before = start_two(make_collection)
    collection.sandbox.set_rules([("track", "storm")])
    collection.sandbox.set_rate(200)
    wait_for(lambda: len(collection.tweets("track:0")) > 50, "tweets")
    killed_at = time.time()
    os.kill(before["track:0"], signal.SIGKILL)
    collection.wait_new_pid("track:0", before["track:0"])
    since, _ = times(wait_gap(collection, "crash"))
    assert since <= killed_at + TICKS_S
    check_nothing_lost(collection)
    assert collection.streaming()["follow:0"] == before["follow:0"]
    serving = collection.connection("track:0")["serving"]
    assert serving["generation"] == 2
    assert [gap["cause"] for gap in collection.gaps("track:0")] == ["start", "crash"]
    assert [gap["cause"] for gap in collection.gaps("follow:0")] == ["start"]
    assert {child.pid for child in collection.workers()} == {serving["pid"], before["follow:0"]}, "no zombie"


def test_a_crash_loop_backs_off_and_recovers_and_starves_nobody(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"))
    collection.program = NONSENSE
    collection.options = {
        "supervisor": {"restart_backoff": "100ms", "restart_backoff_max": "400ms", "start_parallel": 1}
    }
    collection.add_rules("track:0", ["storm", "flood"])
    collection.add_rules("follow:0", ["42"])
    dies = tell(collection, "dies")
    collection.start()
    collection.wait_streaming("follow:0")
    collection.wait_state("track:0", "BACKOFF")
    wait_for(lambda: len(births(collection)) > 8, "more starts")
    starts = births(collection)
    pauses = [later - earlier for earlier, later in itertools.pairwise(starts)]
    for pause, step in zip(pauses, [0.0, 0.1, 0.2, *[0.4] * len(pauses)], strict=False):
        assert pause >= step, pauses
    assert len({round(pause, 3) for pause in pauses[3:]}) > 1, "the waits have jitter"
    assert len(collection.log().splitlines()) < 30 * (len(births(collection)) + 1)
    assert "told to die" in collection.wait_log("told to die", name="track:0")
    dies.unlink()
    collection.wait_streaming("track:0", "follow:0")
    assert len(lines_with(collection, "worker forked", "connection=follow:0")) == 1


def births(collection: Collection, connection: str = "track:0") -> list[float]:
    """When the workers of a connection were forked."""
    lines = lines_with(collection, "worker forked", f"connection={connection} ")
    return [datetime.fromisoformat(line.split()[0]).timestamp() for line in lines]


def test_a_worker_that_cannot_be_forked_is_forked_later(make_collection: Make) -> None:
    """No descriptor is free: that is said, what streams goes on, and nothing is left of the failed tries."""
    collection, before = start_two(make_collection)
    assert collection.process is not None
    master = psutil.Process(collection.process.pid)
    threads = master.num_threads()
    soft, hard = resource.prlimit(master.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(master.pid, resource.RLIMIT_NOFILE, (master.num_fds() - 4, hard))
    os.kill(before["track:0"], signal.SIGKILL)
    collection.wait_log("cannot fork a worker", "connection=track:0")
    resource.prlimit(master.pid, resource.RLIMIT_NOFILE, (soft, hard))
    collection.wait_new_pid("track:0", before["track:0"])
    assert collection.streaming()["follow:0"] == before["follow:0"]
    assert collection.process.poll() is None
    wait_for(lambda: master.num_threads() <= threads, "no thread of a failed try is left")


# ---- hanging


@pytest.mark.long
def test_a_stopped_worker_is_killed_and_replaced_while_the_others_are_served(make_collection: Make) -> None:
    collection, before = start_two(make_collection, **HANG)
    os.kill(before["track:0"], signal.SIGSTOP)
    collection.hint("follow:0")
    follow = collection.wait_new_pid("follow:0", before["follow:0"])
    collection.wait_new_pid("track:0", before["track:0"])
    collection.wait_log("worker ended", f"pid={before['track:0']}", "exit_code=-9")
    wait_gap(collection, "hung")
    assert collection.streaming()["follow:0"] == follow
    pid = f"pid={before['track:0']}"
    assert len(lines_with(collection, " ERROR ", pid, "worker hangs")) == 1
    assert len(lines_with(collection, " WARNING ", pid, "worker did not exit in time: killed")) == 1


@pytest.mark.long
def test_a_worker_that_stays_in_a_message_is_replaced_and_shows_where_it_was(make_collection: Make) -> None:
    """The gap begins where the message began: what came after it was never read."""
    collection, before = start_two(make_collection, **HANG)
    collection.sandbox.set_rules([("track", "storm"), ("follow", "42")])
    wait_for(lambda: collection.tweets("track:0"), "tweets")
    loops = tell(collection, "loops")
    collection.wait_log("worker hangs", "connection=track:0", "handling for")
    collection.wait_log("nonsense.py", "in take", name="track:0")
    collection.wait_log("worker did not exit in time: killed", "connection=track:0")
    loops.unlink()
    collection.wait_new_pid("track:0", before["track:0"])
    wait_gap(collection, "hung")
    check_nothing_lost(collection)
    assert collection.streaming()["follow:0"] == before["follow:0"]


@pytest.mark.long
def test_a_stopped_master_takes_nobody_for_hung_when_it_runs_again(make_collection: Make) -> None:
    """Neither when it alone was stopped, nor when its workers were too (Ctrl-Z in a shell)."""
    collection, before = start_two(make_collection, **HANG)
    collection.sandbox.set_rules([("track", "storm"), ("follow", "42")])
    assert collection.process is not None
    for stopped in ([], list(before.values())):
        status_at = collection.status()["at"]
        for pid in (collection.process.pid, *stopped):
            os.kill(pid, signal.SIGSTOP)
        made = collection.sandbox.state()["made"]
        wait_for(lambda made=made: collection.sandbox.state()["made"] > made + 5 * 50, "5 seconds of tweets")
        for pid in (*stopped, collection.process.pid):
            os.kill(pid, signal.SIGCONT)
        wait_for(lambda at=status_at: collection.status()["at"] > at + 6, "the master runs again for a while")
    assert collection.streaming() == before
    assert not lines_with(collection, "worker hangs")


# ---- nonsense


def test_a_worker_that_sends_nonsense_is_killed_and_replaced(make_collection: Make) -> None:
    collection, before = start_two(make_collection)
    pid = before["track:0"]
    for number, deed in enumerate(("no-message", "too-large", "connected-twice"), start=1):
        tell(collection, deed)
        pid = collection.wait_new_pid("track:0", pid)
        faults = lines_with(collection, "worker broke the protocol", "connection=track:0")
        assert len(faults) == number, (deed, faults)
    assert len(lines_with(collection, "why=fault", "exit_code=-9")) == 3
    assert collection.streaming()["follow:0"] == before["follow:0"]
    assert [gap["cause"] for gap in collection.gaps("track:0")] == ["start"] + 3 * ["crash"]


def test_a_worker_that_tells_of_a_stream_it_cannot_have_is_killed_and_replaced(make_collection: Make) -> None:
    collection, before = start_two(make_collection)
    pid = before["track:0"]
    for number, deed in enumerate(
        ("connected-when-ready", "connected-in-a-year", "connected-never"), start=1
    ):
        tell(collection, deed)
        os.kill(pid, signal.SIGKILL)
        pid = collection.wait_new_pid("track:0", pid)
        faults = lines_with(collection, "worker broke the protocol", "connection=track:0")
        assert len(faults) == number, (deed, faults)
    assert collection.streaming()["follow:0"] == before["follow:0"]


@pytest.mark.long
def test_half_a_frame_and_then_silence_counts_as_hung(make_collection: Make) -> None:
    collection, before = start_two(make_collection, **HANG)
    tell(collection, "half-a-frame")
    collection.wait_log("worker hangs", "connection=track:0")
    collection.wait_new_pid("track:0", before["track:0"])
    wait_gap(collection, "hung")
    assert collection.streaming()["follow:0"] == before["follow:0"]


# ---- the output


@pytest.mark.long
def test_a_full_disk_is_waited_for_and_nothing_is_lost(
    make_collection: Make,
) -> None:
    """What comes meanwhile waits in the outbox, and nobody calls that a hang."""
    collection, before = start_two(make_collection, **HANG)
    collection.sandbox.set_rules([("track", "storm")])
    output = collection.output / "track:0.jsonl"
    wait_for(lambda: collection.tweets("track:0"), "tweets")
    first = put_aside(output, collection.folder / "first.jsonl")
    collection.wait_log("waiting for the output", "No space left", "worker=track:0")
    since = collection.status()["at"]
    waiting = collection.connection("track:0")["outbox"]["messages"]
    wait_for(lambda: collection.status()["at"] > since + 5, "it waits for longer than hang_timeout")
    wait_for(
        lambda: collection.connection("track:0")["outbox"]["messages"] > waiting + 20, "more messages wait"
    )
    assert collection.streaming() == before
    output.unlink()
    collection.wait_log("the output works again", "worker=track:0")
    check_all_written(collection, first)
    assert collection.streaming() == before
    assert [gap["cause"] for gap in collection.gaps("track:0")] == ["start"]


def test_an_output_folder_that_is_gone_is_waited_for_and_nothing_is_lost(make_collection: Make) -> None:
    collection, before = start_two(make_collection)
    collection.sandbox.set_rules([("track", "storm")])
    aside = collection.folder / "aside"
    wait_for(lambda: collection.tweets("track:0"), "tweets")
    collection.output.rename(aside)
    collection.wait_log("waiting for the output", "its folder is gone: make it again", "worker=track:0")
    aside.rename(collection.output)
    collection.wait_log("the output works again", "worker=track:0")
    check_all_written(collection)
    assert collection.streaming() == before


@pytest.mark.long
def test_a_worker_whose_output_is_full_is_replaced_and_the_next_one_writes_what_it_left(
    make_collection: Make,
) -> None:
    collection, before = start_two(make_collection, drain_timeout="4s")
    collection.sandbox.set_rules([("track", "storm")])
    output = collection.output / "track:0.jsonl"
    wait_for(lambda: collection.tweets("track:0"), "tweets")
    first = put_aside(output, collection.folder / "first.jsonl")
    collection.wait_log("waiting for the output", "worker=track:0")
    collection.hint("track:0")
    collection.wait_new_pid("track:0", before["track:0"])
    collection.wait_log("worker ended", "gen=1", "connection=track:0", "why=drained")
    collection.wait_log("worker left messages in its outbox", "connection=track:0", "gen=1")
    output.unlink()
    wait_for(lambda: collection.tweets("track:0"), "tweets of the second worker")
    check_nothing_lost(collection, first)
    generations = {tweet["traptor"]["collection"]["generation"] for tweet in collection.tweets("track:0")}
    assert generations == {1, 2}


# ---- what a worker is


def test_a_worker_holds_its_own_descriptors_only_and_says_what_it_is(make_collection: Make) -> None:
    collection, pids = start_two(make_collection)
    assert collection.process is not None
    sockets = {pid: sockets_of(pid) for pid in (*pids.values(), collection.process.pid)}
    for one in sockets:
        for other in sockets:
            assert one == other or not sockets[one] & sockets[other]
    for name, pid in pids.items():
        assert psutil.Process(pid).cmdline()[0] == f"traptor: {name} [streaming]"
        # Three standard ones, the lock of the workers, master, stream and Redis, log, its way to
        # supervisor.log, the output, the outbox's lock and mark (the outbox itself only while messages wait),
        # and the selector and bell of the link thread.
        assert psutil.Process(pid).num_fds() <= 18, os.listdir(f"/proc/{pid}/fd")
        files = {file.path for file in psutil.Process(pid).open_files()}
        outbox = collection.folder / "state" / "outbox" / name / "1"
        files -= {str(outbox / "lock"), str(outbox / "mark")}
        assert files <= {str(collection.logs / f"{name}.log"), str(collection.output / f"{name}.jsonl")} | {
            str(collection.run_dir / "workers.lock"),
            str(collection.folder / "stderr.txt"),
        }


def sockets_of(pid: int) -> set[str]:
    """The sockets that a process holds, by inode."""
    links = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.add(str(fd.readlink()))
        except FileNotFoundError:
            continue
    return {link for link in links if link.startswith("socket:")}
