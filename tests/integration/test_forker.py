"""The forker's end is the end of all workers: they come back as after any crash, and nothing else is lost."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import psutil
import pytest
from support.collection import Collection, Key
from support.control import get
from support.losses import check_nothing_lost
from support.pair import lines_with, put_aside, start_two, times, wait_gap
from support.waiting import DEADLINE_S, wait_for

Make = Callable[..., Collection]
NAMES = ("track:0", "follow:0")


def wait_replaced(collection: Collection, forker: psutil.Process, before: dict[str, int]) -> None:
    """Wait until there is another forker, whose workers stream in the place of those before."""
    for name in NAMES:
        collection.wait_new_pid(name, before[name])
    collection.wait_streaming(*NAMES)
    assert not forker.is_running()
    assert {child.ppid() for child in collection.workers()} == {collection.forker().pid}
    assert {child.pid for child in collection.workers()} == set(collection.streaming().values()), "no zombie"


def test_workers_are_children_of_the_forker_and_a_terminal_ends_none(make_collection: Make) -> None:
    collection, pids = start_two(make_collection)
    forker = collection.forker()
    assert {child.pid: child.ppid() for child in collection.workers()} == dict.fromkeys(
        pids.values(), forker.pid
    )
    forker.send_signal(signal.SIGINT)
    forker.send_signal(signal.SIGTERM)
    os.kill(pids["track:0"], signal.SIGKILL)
    collection.wait_new_pid("track:0", pids["track:0"])
    assert collection.forker() == forker
    children = collection.children()
    assert collection.stop() == 0
    assert not [child for child in children if child.is_running()]
    assert " ERROR " not in collection.log()


def test_workers_of_a_forker_that_rehearsed_have_nothing_of_it(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.programs = None  # the supervisors of most tests do not rehearse
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    collection.sandbox.set_rules([("track", "storm")])
    collection.sandbox.set_rate(100)
    wait_for(lambda: len(collection.tweets("track:0")) > 20, "tweets")
    forker = collection.forker()
    assert forker.num_threads() == 1
    assert not [connection for connection in forker.net_connections() if connection.laddr]
    assert [file.name for file in collection.output.iterdir()] == ["track:0.jsonl"]
    assert "rehearsal" not in "".join(file.read_text() for file in collection.logs.iterdir())
    collection.sandbox.stop_timeline()
    wait_for(
        lambda: len(collection.tweets("track:0")) == collection.sandbox.connections()[0]["tweets"],
        "all of them, and none of a rehearsal",
    )
    assert collection.stop() == 0


def test_a_killed_forker_costs_what_a_crash_of_every_worker_costs(make_collection: Make) -> None:
    """The output takes nothing meanwhile: what waits in the outbox is delivered, the rest lies in a gap."""
    collection, before = start_two(make_collection)
    collection.sandbox.set_rules([("track", "storm")])
    collection.sandbox.set_rate(100)
    wait_for(lambda: len(collection.tweets("track:0")) > 20, "tweets")
    name = collection.output / "track:0.jsonl"
    first = put_aside(name, collection.folder / "first.jsonl")
    wait_for(lambda: collection.connection("track:0")["outbox"]["messages"] > 5, "messages wait")
    assert collection.process is not None
    forker, master = collection.forker(), collection.process.pid
    forker.kill()
    said = collection.wait_log(" ERROR ", "the forker ended, and all workers with it", f"pid={forker.pid}")
    assert "exit_code=-9" in said
    wait_replaced(collection, forker, before)
    for connection in NAMES:
        since, until = times(wait_gap(collection, "crash", connection))
        assert since < until
    name.unlink()
    check_nothing_lost(collection, first)
    assert collection.process.pid == master
    assert collection.process.poll() is None
    assert_serves(collection)


def assert_serves(collection: Collection) -> None:
    """A worker that dies is replaced, with its exit code known, and the end is in order."""
    before = collection.streaming()
    os.kill(before["track:0"], signal.SIGKILL)
    collection.wait_new_pid("track:0", before["track:0"])
    collection.wait_log("worker ended", f"pid={before['track:0']}", "exit_code=-9")
    children = collection.children()
    assert collection.stop() == 0
    assert not [child for child in children if child.is_running()]


def test_forkers_that_are_killed_again_and_again_end_no_master(make_collection: Make) -> None:
    collection, before = start_two(make_collection)
    for _ in range(3):
        forker = collection.forker()
        forker.kill()
        wait_replaced(collection, forker, before)
        before = collection.streaming()
    assert len(lines_with(collection, "the forker ended")) == 3
    assert_serves(collection)


@pytest.mark.long
def test_a_forker_that_does_not_answer_is_replaced(make_collection: Make) -> None:
    """It is noticed once it is needed: here to tell how a worker ended."""
    collection, before = start_two(make_collection)
    forker = collection.forker()
    forker.suspend()
    os.kill(before["track:0"], signal.SIGKILL)
    collection.wait_log(" ERROR ", "the forker ended", f"pid={forker.pid}")
    wait_replaced(collection, forker, before)
    assert_serves(collection)


def told_at(collection: Collection) -> str:
    """The time of the status that the control socket answers."""
    status, body = get(collection.run_dir / "control.sock", "/api/status")
    assert status == 200
    return str(json.loads(body)["at"])


def test_while_the_forker_stands_still_the_status_is_answered_and_others_stream_on(
    make_collection: Make,
) -> None:
    collection, before = start_two(make_collection)
    forker = collection.forker()
    forker.suspend()
    os.kill(before["track:0"], signal.SIGKILL)
    collection.wait_log(" WARNING ", "the forker does not answer", f"pid={forker.pid}")
    at = told_at(collection)
    wait_for(lambda: told_at(collection) > at, "another status")
    assert forker.status() == psutil.STATUS_STOPPED, "all this while it stood still"
    forker.resume()
    collection.wait_log("the forker answers again")
    collection.wait_new_pid("track:0", before["track:0"])
    now = collection.wait_streaming(*NAMES)
    assert (collection.forker(), now["follow:0"]) == (forker, before["follow:0"])
    assert {child.pid for child in collection.workers()} == set(now.values()), "no zombie"
    assert_serves(collection)


def test_a_stopped_forker_outlives_no_master(make_collection: Make) -> None:
    collection, _ = start_two(make_collection)
    children = collection.children()
    collection.forker().suspend()
    collection.signal(signal.SIGKILL)
    wait_for(lambda: not [child for child in children if child.is_running()], "nothing is left")


def test_a_master_that_dies_just_after_a_fork_leaves_no_worker(make_collection: Make) -> None:
    """A worker that still waits for its birth ends too."""
    collection, _ = start_two(make_collection)
    assert collection.process is not None
    master = psutil.Process(collection.process.pid)
    for name in NAMES:
        collection.hint(name)
    wait_for(lambda: len(collection.workers()) > len(NAMES), "a successor")
    children = collection.children()
    master.kill()
    collection.process.wait(DEADLINE_S)
    wait_for(lambda: not [child for child in children if child.is_running()], "nothing is left")
