"""The end of a master, by TERM or by KILL, and the start of the next one: nothing is left behind."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from support.collection import Collection, Key
from support.pair import lines_with, start_two, tell
from support.waiting import DEADLINE_S, wait_for

Make = Callable[..., Collection]

DRAIN_TIMEOUT_S = 25  # less than connect_timeout: nothing ends a connect but the TERM


def start_one(make: Make, **twitter: object) -> Collection:
    """A collection of track:0, started."""
    collection = make(Key("k1"), Key("k2"))
    collection.options = {"twitter": twitter, "supervisor": {"drain_timeout": f"{DRAIN_TIMEOUT_S}s"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    return collection


def assert_stops_in_order(collection: Collection) -> None:
    """After TERM: exit 0 within drain_timeout, no process left, and nobody had to be killed."""
    assert collection.process is not None
    workers = collection.children()
    collection.signal(signal.SIGTERM)
    assert collection.process.wait(DRAIN_TIMEOUT_S) == 0
    assert not [worker for worker in workers if worker.is_running()]
    assert not lines_with(collection, "did not exit in time")
    assert not lines_with(collection, "exit_code=-")


# ---- TERM


@pytest.mark.parametrize("fault", ["stall", "half_open"])
def test_term_ends_a_stream_that_has_gone_silent(make_collection: Make, fault: str) -> None:
    collection = start_one(make_collection)
    collection.wait_streaming("track:0")
    collection.sandbox.fault(fault)
    assert_stops_in_order(collection)


def test_term_ends_a_worker_that_waits_for_an_answer(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"supervisor": {"drain_timeout": f"{DRAIN_TIMEOUT_S}s"}}
    collection.sandbox.fault("slow_start", after=60)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    wait_for(lambda: collection.sandbox.attempts(), "a request that is not answered")
    assert_stops_in_order(collection)


def test_term_ends_a_worker_that_waits_for_a_connection(make_collection: Make) -> None:
    """The server's queue of connections is full: the kernel does not even complete the handshake."""
    with deaf_server() as url:
        collection = start_one(make_collection, stream_url=url)
        wait_for(lambda: collection.log("track:0").count(" connecting "), "the worker connects")
        assert_stops_in_order(collection)


@contextmanager
def deaf_server() -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for client in waiting:
            client.close()


def test_term_in_the_middle_of_a_refresh_ends_both_generations(make_collection: Make) -> None:
    collection = start_one(make_collection)
    collection.wait_streaming("track:0")
    collection.sandbox.fault("slow_start", after=60)
    collection.hint("track:0")
    wait_for(lambda: len(collection.sandbox.attempts()) == 2, "the successor's request")
    assert len(collection.workers()) == 2
    assert_stops_in_order(collection)


def test_term_during_the_start_ends_it(make_collection: Make) -> None:
    """Before Redis has answered, and when it never does."""
    collection = make_collection(Key("k1"))
    collection.options = {"supervisor": {"drain_timeout": f"{DRAIN_TIMEOUT_S}s"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    wait_for(collection.log, "the supervisor logs")
    assert_stops_in_order(collection)
    collection.redis_url = "redis://127.0.0.1:1/0"
    collection.write_ini()
    collection.start()
    collection.wait_log("Redis is away")
    assert_stops_in_order(collection)


def test_term_ends_a_stopped_worker_within_a_short_drain_timeout(make_collection: Make) -> None:
    collection, pids = start_two(make_collection, drain_timeout="15s", hang_timeout="60s")
    os.kill(pids["track:0"], signal.SIGSTOP)
    assert collection.stop() == 0
    assert not psutil.pid_exists(pids["track:0"])
    collection.wait_log("worker did not exit in time: killed", "connection=track:0")
    assert not lines_with(collection, "did not exit in time", "connection=follow:0")


def test_a_second_term_ends_everything_at_once(make_collection: Make) -> None:
    """It does not wait for a worker that cannot drain."""
    collection, pids = start_two(make_collection, drain_timeout="600s", hang_timeout="600s")
    os.kill(pids["track:0"], signal.SIGSTOP)
    collection.signal(signal.SIGTERM)
    collection.wait_log("worker ended", "connection=follow:0", "why=drained")
    assert collection.process is not None
    assert collection.process.poll() is None
    collection.signal(signal.SIGTERM)
    assert collection.process.wait(DEADLINE_S) == 1
    assert not psutil.pid_exists(pids["track:0"])


def test_a_job_of_the_master_that_fails_is_begun_again_and_costs_no_stream(make_collection: Make) -> None:
    collection, pids = start_two(make_collection)
    deed = tell(collection, "status-fails", "master")
    collection.wait_log(
        " ERROR ", "a job of the master failed, it is restarted", "job=status", "told to fail"
    )
    deed.unlink()
    wait_for(lambda: [job["job"] for job in collection.status()["jobs"]] == ["status"], "it is shown")
    assert collection.streaming() == pids
    assert collection.stop() == 0
    assert len(lines_with(collection, "worker ended", "why=drained")) == 2


# ---- KILL


def test_workers_die_with_a_killed_master_and_the_next_one_starts_clean(make_collection: Make) -> None:
    """No key has two streams at any time, and no generation number is used twice."""
    collection, pids = start_two(make_collection)
    workers = collection.children()
    assert len(workers) == 3, "one is the forker"
    collection.signal(signal.SIGKILL)
    assert collection.process is not None
    collection.process.wait()
    collection.start()
    wait_for(lambda: not any(worker.is_running() for worker in workers), "the workers are gone")
    wait_for(
        lambda: set(collection.streaming().values()).isdisjoint(pids.values()), "a status of the new one"
    )
    collection.wait_streaming("track:0", "follow:0")
    assert all(c["serving"]["generation"] > 1 for c in collection.status()["connections"])
    for account in ("k1", "k2"):
        one, two = [c for c in collection.sandbox.connections() if c["account"] == account]
        assert one["closed_at"] <= two["opened_at"]
        assert one["closed_by"] == "client"


LEFTOVER = """
import fcntl, os, setproctitle, signal, sys, time
setproctitle.setproctitle("traptor: track:0 [streaming]")
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)
fcntl.flock(fd, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(600)
"""


@contextmanager
def leftover_worker(run_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the workers' lock, as a worker whom the death of its master did not end."""
    run_dir.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", LEFTOVER, str(run_dir / "workers.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "locked\n"
            yield process
        finally:
            process.kill()


def entry(pid: int, **different: float) -> dict[str, object]:
    """A line of workers.json."""
    return {
        "pid": pid,
        "create_time": psutil.Process(pid).create_time(),
        "connection": "track:0",
        "generation": 1,
        **different,
    }


def test_a_worker_that_outlived_its_master_is_ended_before_any_key_is_used(make_collection: Make) -> None:
    """It is known by pid, start time and title: a process that is another one is left alone."""
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        with leftover_worker(collection.run_dir) as leftover:
            same_number = entry(bystander.pid, create_time=12345.0)
            forged = entry(bystander.pid)
            roster = json.dumps([same_number, forged, entry(leftover.pid)])
            (collection.run_dir / "workers.json").write_text(roster)
            collection.start()
            collection.wait_streaming("track:0")
            assert leftover.wait(DEADLINE_S) == -signal.SIGKILL
            assert bystander.poll() is None
        line = collection.wait_log("a dead supervisor's worker was killed", f"pid={leftover.pid}")
        assert collection.log().index(line) < collection.log().index("worker forked")
    finally:
        bystander.kill()
        bystander.wait()


def test_no_key_is_used_while_an_unknown_worker_lives(make_collection: Make) -> None:
    """The new master waits for it, and can be told to stop meanwhile."""
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    with leftover_worker(collection.run_dir):
        (collection.run_dir / "workers.json").write_text("no JSON")
        collection.start()
        collection.wait_log("waiting for a dead supervisor's workers to end")
        assert_stops_in_order(collection)
        collection.start()
        wait_for(lambda: collection.log().count("waiting for a dead supervisor's workers") == 2, "it waits")
        assert not collection.workers()
    collection.wait_streaming("track:0")
    assert len(collection.sandbox.attempts()) == 1


def test_workers_hold_the_lock_for_as_long_as_one_of_them_lives(make_collection: Make) -> None:
    collection, _ = start_two(make_collection)
    with (collection.run_dir / "workers.lock").open() as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert collection.stop() == 0
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
