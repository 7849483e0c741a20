"""No job of the master ends the streams, whatever happens in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from support.collection import Collection, Key
from support.fakeredis import NESTED, NIL, NIL_LIST, NO_PROTOCOL, NUMBER, FakeRedis
from support.paths import ROOT
from support.waiting import wait_for

Make = Callable[..., Collection]
SABOTAGE = ROOT / "tests" / "support" / "sabotage.py"
STEPS = {"reload", "reconcile", "look at the ledger", "greet"}
JOBS = {
    *("rules", "hints", "ledger", "gap mirror", "clock", "status", "heartbeats", "health", "leftovers"),
    *("steps", "files", "addresses", "log rotation", "reserve"),
}
COMMANDS = b"SCAN HGETALL GET PTTL PSETEX EVAL ZADD EXEC".split()


def failures(collection: Collection, job: str) -> int:
    shown = {one["job"]: one["failures"] for one in collection.status().get("jobs", [])}
    return int(shown.get(job, 0))


@pytest.mark.long
def test_an_unforeseen_error_in_any_job_or_step_ends_no_stream(make_collection: Make, tmp_path: Path) -> None:
    """Each in turn fails again and again, and goes on when the trouble is over."""
    folder = tmp_path / "sabotage"
    folder.mkdir()
    collection = make_collection(Key("k1"), Key("k2"))
    collection.program = (str(SABOTAGE), str(folder))
    collection.options = {"supervisor": {"drain_timeout": "5s", "health_interval": "200ms"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    pids = collection.wait_streaming("track:0")
    collection.signal(1)  # the reload, too
    collection.wait_log("reloaded")
    names = set((folder / "names").read_text().splitlines())
    assert names >= JOBS | STEPS
    for job in sorted(names):
        trouble = folder / job.replace(" ", "-")
        trouble.touch()
        if job == "reload":
            collection.signal(1)
        collection.wait_log(" ERROR ", "a job of the master failed", f"SabotageError: {job}")
        trouble.unlink()
        wait_for(lambda job=job: failures(collection, job) >= 1, f"{job} shown")
        assert collection.streaming() == pids
    collection.redis.delete("track:0:heartbeat")
    wait_for(lambda: collection.redis.exists("track:0:heartbeat"), "a heartbeat")
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_new_pid("track:0", pids["track:0"])
    assert collection.stop() == 0


@pytest.mark.long
def test_a_stop_ends_the_workers_though_the_step_that_drains_them_fails(
    make_collection: Make, tmp_path: Path
) -> None:
    folder = tmp_path / "sabotage"
    folder.mkdir()
    collection = make_collection(Key("k1"))
    collection.program = (str(SABOTAGE), str(folder))
    collection.options = {"supervisor": {"drain_timeout": "2s"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    (folder / "reconcile").touch()
    assert collection.stop() == 0
    assert "supervisor stopped" in collection.log()


@pytest.mark.long
def test_replies_that_no_redis_gives_end_no_stream(make_collection: Make) -> None:
    """They are trouble with Redis, said once; when it answers as it should, all goes on."""
    page = b"*2\r\n$1\r\n0\r\n*1\r\n$21\r\ntraptor-track:0:storm\r\n"
    rule = b"*2\r\n$5\r\nvalue\r\n$5\r\nstorm\r\n"
    good = {b"SCAN": page, b"HGETALL": rule}
    with FakeRedis(good) as server:
        collection = make_collection(Key("k1"))
        collection.redis_url = server.url
        collection.options = {"supervisor": {"rules_check_interval": "200ms", "heartbeat_interval": "200ms"}}
        collection.start()
        pids = collection.wait_streaming("track:0")
        for number, answer in enumerate((NIL, NIL_LIST, NUMBER, NESTED, NO_PROTOCOL), 1):
            server.answers = dict.fromkeys(COMMANDS, answer)
            wait_for(lambda: collection.status()["redis"] != "ok", f"{answer!r} is trouble")
            server.answers = dict(good)
            wait_for(lambda: collection.status()["redis"] == "ok", f"it goes on after {answer!r}")
            assert collection.streaming() == pids
            said = Counter(re.findall(r"Redis refuses used_for=(\"[^\"]+\"|\S+)", collection.log()))
            assert 1 <= max(said.values()) <= number, f"each use once, also after {answer!r}"
        assert "Traceback" not in collection.log()
        assert not collection.status()["jobs"]
        assert collection.stop() == 0
