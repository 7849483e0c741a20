"""What posts cost: caps close the stream and keep it closed; without credit nobody asks again and again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
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


def kill(collection: Collection) -> None:
    """Kill -9 the master; its workers die with it."""
    left = collection.children()
    collection.signal(SIGKILL)
    assert collection.process is not None
    collection.process.wait()
    wait_for(lambda: not any(child.is_running() for child in left), "the workers are gone")


def test_a_daily_cap_closes_the_stream_and_outlives_kill_9(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX), daily_posts=1_000)
    collection.add_rules("track:0", ["storm"])
    collection.sandbox.set_rules([("track", "storm")])
    collection.sandbox.set_rate(RATE)
    collection.start()
    collection.wait_streaming("v2:app")
    collection.wait_state("v2:app", "CAPPED")
    wait_for(lambda: not collection.streaming(), "the stream is closed")
    assert 1_000 <= billed(collection) <= 1_000 + 4 * RATE, "a second's; a slow machine's takes longer"
    # What was on its way when we closed the stream is on X's bill alone.
    wait_for(lambda: 0 <= billed(collection) - counted(collection) <= RATE, "both count the same")
    for percent in (50, 80, 95):
        collection.wait_log("part of a cap is used up", f"percent={percent}")
    assert connects(collection) == connects(collection)[:1]

    kill(collection)
    new = collection.start()
    wait_for(lambda: collection.status().get("pid") == new.pid, "a new master")
    collection.wait_state("v2:app", "CAPPED")
    assert len(connects(collection)) == 1
    assert collection.connection("v2:app")["waits_for"].startswith("daily_posts is reached")

    on_v2(collection, daily_posts=1_000_000)
    collection.write_ini()
    collection.signal(SIGHUP)
    collection.wait_streaming("v2:app")
    assert {gap["cause"] for gap in collection.gaps("v2:app")} >= {"start", "cost"}


@pytest.mark.long
def test_without_credit_x_is_asked_once_until_the_retry(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX), credit_retry="10s")
    collection.add_rules("track:0", ["storm"])
    x = collection.sandbox.v2
    x.fault("status", problem="credits-depleted", times=1)
    collection.start()
    wait_for(lambda: app_of(collection).get("hold") == "out_of_credit", "out of credit")
    x.fault("status", problem="usage-capped", headers={"x-rate-limit-remaining": "39999"}, times=1)
    assert len(connects(collection)) == 1
    wait_for(lambda: len(connects(collection)) == 2, "it is asked again")
    wait_for(lambda: app_of(collection).get("hold") == "out_of_credit", "out of credit again")
    collection.wait_streaming("v2:app")
    asked = [(one["status"], one["at"]) for one in connects(collection)]
    assert [status for status, _ in asked] == [402, 429, 200]
    assert all(later - earlier >= 9 for (_, earlier), (_, later) in pairwise(asked))
    collection.wait_log("gap", "cause=cost")
