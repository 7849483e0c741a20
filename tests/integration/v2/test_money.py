"""What posts cost: caps close the stream and keep it closed; without credit nobody asks again and again."""

from __future__ import annotations

import os
from collections.abc import Callable
from signal import SIGHUP, SIGKILL

import pytest
from support.collection import Collection, Json, Key
from support.v2 import SANDBOX, connects, on_v2
from support.waiting import wait_for

Make = Callable[..., Collection]
RATE = 100


def app_of(collection: Collection) -> Json:
    return next(iter(collection.status().get("apps", [])), {})


def billed(collection: Collection) -> int:
    """How many posts the sandbox charges for."""
    return sum(day["posts"] + day["included_posts"] for day in collection.sandbox.v2.bill())


def counted(collection: Collection) -> int:
    today = app_of(collection).get("today", {})
    return int(today.get("posts", 0)) + int(today.get("included_posts", 0))


def written(collection: Collection) -> list[float]:
    """When the sandbox wrote each post to our streams, in order (its monotonic seconds)."""
    return sorted(
        at for one in collection.sandbox.tweets() if one["connections"] for at in one["written_mono"]
    )


def kill(collection: Collection) -> None:
    """Kill -9 the master; its workers die with it."""
    left = collection.children()
    collection.signal(SIGKILL)
    assert collection.process is not None
    collection.process.wait()
    wait_for(lambda: not any(child.is_running() for child in left), "the workers are gone")


@pytest.mark.long
def test_a_daily_cap_closes_the_stream_and_outlives_kill_9(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=(*SANDBOX, "--v2-rate", "0")), daily_posts=1_000)
    collection.add_rules("track:0", ["storm"])
    collection.sandbox.set_rules([("track", "storm")])
    collection.start()
    collection.wait_streaming("v2:app")
    collection.sandbox.burst(800)
    collection.sandbox.set_rate(RATE)
    collection.wait_state("v2:app", "CAPPED")
    wait_for(lambda: not collection.streaming(), "the stream is closed")
    sent = written(collection)
    assert len(sent) == billed(collection) >= 1_000
    assert sent[-1] <= sent[999] + 1.0, f"{len(sent) - 1_000} posts after the cap's, of {RATE} a second"
    # What was on its way when we closed the stream is on X's bill alone.
    wait_for(lambda: 1_000 <= counted(collection) <= billed(collection), "both count the same")
    for percent in (50, 80, 95):
        collection.wait_log("part of a cap is used up", f"percent={percent}")

    for child in collection.children():
        child.kill()
    kill(collection)
    new = collection.start()
    wait_for(lambda: collection.status().get("pid") == new.pid, "a new master")
    collection.wait_state("v2:app", "CAPPED")
    assert collection.connection("v2:app")["waits_for"].startswith("daily_posts is reached")
    assert len(connects(collection)) == 1
    assert (written(collection), billed(collection)) == (sent, len(sent)), "posts are made all the time"

    on_v2(collection, daily_posts=1_000_000)
    collection.write_ini()
    collection.signal(SIGHUP)
    collection.wait_streaming("v2:app")
    assert {gap["cause"] for gap in collection.gaps("v2:app")} >= {"start", "cost"}


@pytest.mark.long
def test_what_a_killed_worker_and_master_had_read_is_counted(make_collection: Make) -> None:
    """Counts that are only reported lack what was read since the last report, up to a second's posts."""
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    collection.add_rules("track:0", ["storm"])
    collection.sandbox.set_rules([("track", "storm")])
    collection.sandbox.set_rate(RATE)
    collection.start()
    pid = collection.wait_streaming("v2:app")["v2:app"]
    wait_for(lambda: _received(collection) > RATE, "posts come")
    os.kill(pid, SIGKILL)
    pid = collection.wait_new_pid("v2:app", pid)
    wait_for(lambda: _received(collection) > RATE, "posts come")
    kill(collection)
    collection.start()
    collection.wait_new_pid("v2:app", pid)
    collection.sandbox.stop_timeline()
    wait_for(lambda: 0 <= billed(collection) - counted(collection) <= _unread(collection), "the bill is ours")


def _received(collection: Collection) -> int:
    """How many posts the serving worker has reported."""
    return int((collection.connection("v2:app").get("serving") or {}).get("counters", {}).get("received", 0))


def _unread(collection: Collection) -> int:
    """How many posts were written to our streams and came to no output."""
    delivered = {post["data"]["id"] for post in collection.messages("v2:app")}
    sent = {one["id"] for one in collection.sandbox.tweets() if one["connections"]}
    return len(sent - delivered)
