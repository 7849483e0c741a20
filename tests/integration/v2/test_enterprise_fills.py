"""Gaps filled as Enterprise contracts allow: by the stream that ends them, and by recovery jobs beside it."""

from __future__ import annotations

import math
import os
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest
from support.collection import Collection, Json, Key
from support.v2 import SANDBOX, on_v2
from support.waiting import wait_for

Make = Callable[..., Collection]

ENTERPRISE = (*SANDBOX, "--v2-rate", "0", "--v2-enterprise", "all")
WORDS = ["storm", "flood warning", "#hail"]
USERS = [str(10_000 + number) for number in range(40)]


def filling(make_collection: Make, *sandbox: str, **twitter: object) -> Collection:
    """A collection that streams, and fills its gaps soon after."""
    collection = make_collection(Key("app"), sandbox=(*ENTERPRISE, *sandbox))
    collection.options["traptor"] = {"expand": "all"}
    on_v2(
        collection, **{"fill_gaps": "recovery", "fill_after": "1s", "fill_daily_dollars": "1000", **twitter}
    )
    collection.add_rules("track:0", WORDS)
    collection.add_rules("follow:0", USERS)
    collection.start()
    collection.wait_streaming("v2:app")
    collection.sandbox.burst(200, [*WORDS, *USERS])  # a post tells that its filter is in effect
    wait_for(
        lambda: collection.status()["apps"][0]["rules_in_effect"] == len(WORDS) + len(USERS), "their effect"
    )
    return collection


def part(collection: Collection, posts: int) -> None:
    """Close the stream, and make posts that nobody reads."""
    x = collection.sandbox.v2
    x.fault("status", app="app", endpoint="stream", status=503)
    wait_for(lambda: x.fault("close", app="app")["struck"], "a stream is closed")
    wait_for(lambda: not collection.streaming(), "the gap")
    collection.sandbox.burst(posts, [*WORDS, *USERS])
    x.clear_faults("app")
    collection.wait_streaming("v2:app")


def fills(collection: Collection) -> list[Json]:
    return list(collection.status().get("fills", {}).get("fills", []))


def wait_filled(collection: Collection) -> list[Json]:
    """Wait until all gaps are filled, and return how."""
    return wait_for(
        lambda: (found := fills(collection)) and all(one["state"] == "done" for one in found) and found,
        "the gaps are filled",
    )


def due(collection: Collection) -> set[str]:
    return {one["id"] for one in collection.sandbox.v2.matches()}


def delivered(collection: Collection) -> list[str]:
    return [post["data"]["id"] for post in collection.messages("v2:app")]


def filled_by(collection: Collection, method: str) -> list[Json]:
    found = (post["traptor"]["collection"].get("filled") for post in collection.messages("v2:app"))
    return [one for one in found if one == method]


def check_bill(collection: Collection) -> None:
    def difference() -> float:
        billed = sum(day["dollars"] for day in collection.sandbox.v2.bill())
        return abs(float(billed) - float(collection.status()["apps"][0]["today"]["dollars"]))

    wait_for(lambda: difference() < 0.001, "our count is X's bill")


@pytest.mark.long
def test_a_short_gap_is_filled_by_the_stream_that_ends_it(make_collection: Make) -> None:
    collection = filling(make_collection)
    collection.sandbox.v2.fault("backfill_twice", app="app")
    part(collection, 300)
    collection.sandbox.burst(100, [*WORDS, *USERS])
    (fill,) = wait_filled(collection)
    assert fill["method"] == "backfill"
    wait_for(lambda: due(collection) <= set(delivered(collection)), "every post")
    assert set(Counter(delivered(collection)).values()) == {1}
    assert len(filled_by(collection, "backfill")) == fill["posts"] > 200
    live = [one for one in collection.sandbox.v2.connections() if not one["recovery"]]
    assert [one["query"].get("backfill_minutes") for one in live] == [None, "1"]
    check_bill(collection)


@pytest.mark.long
def test_gaps_are_recovered_beside_the_live_stream_whoever_is_killed(make_collection: Make) -> None:
    collection = filling(make_collection)
    x = collection.sandbox.v2
    x.fault("recovery_cut", app="app", posts=100, times=2)
    x.fault("status", app="app", endpoint="stream", status=400, times=1)  # for the backfill
    wait_for(lambda: x.fault("close", app="app")["struck"], "a stream is closed")
    collection.sandbox.burst(300, [*WORDS, *USERS])
    collection.wait_log("X gives no backfill to an app", "status=400")
    wait_for(lambda: jobs(collection), "a recovery")
    pid = collection.pid("v2:app")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    collection.sandbox.burst(50, [*WORDS, *USERS])
    collection.wait_new_pid("v2:app", pid)
    wait_for(lambda: len(fills(collection)) == 2, "both gaps are known")
    found = wait_filled(collection)
    assert {one["method"] for one in found} == {"recovery"}
    wait_for(lambda: due(collection) <= set(delivered(collection)), "every post")
    assert set(Counter(delivered(collection)).values()) == {1}
    fetched = filled_by(collection, "recovery")
    assert len(fetched) > 200
    wait_for(lambda: collection.status()["fills"]["posts"] == len(fetched), "the ledger's count of them")
    live = [one for one in x.connections() if not one["recovery"]]
    assert [one["query"].get("backfill_minutes") for one in live] == [None, None, None]
    assert [one["reason"] for one in jobs(collection)].count("recovery_cut") == 2
    # What the killed worker had not read yet is on X's bill once more, but for the posts.
    (day,) = x.bill()
    today = collection.status()["apps"][0]["today"]
    assert day["posts"] + day["included_posts"] == today["posts"] + today["included_posts"]


@pytest.mark.long
def test_two_gaps_are_recovered_at_once_and_a_dead_workers_job_is_ended(make_collection: Make) -> None:
    collection = filling(make_collection, "--v2-linger", "300", fill_after="5s", stall_timeout="10s")
    x = collection.sandbox.v2
    wait_for(lambda: x.requests("connections_list"), "the address is learned")
    x.fault("recovery_stall", times=2)
    x.fault("status", app="app", endpoint="stream", status=400, times=1)  # for the backfill
    part(collection, 300)
    (dead,) = wait_for(lambda: jobs(collection), "a job")
    wait_for(lambda: time.time() > dead["opened_at"] + 6, "X can tell it from the next stream")
    pid = collection.pid("v2:app")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    collection.sandbox.burst(50, [*WORDS, *USERS])
    collection.wait_new_pid("v2:app", pid)
    wait_for(lambda: len(jobs(collection)) == 2, "a job of the same gap, beside the dead one")
    (later,) = wait_for(lambda: [one for one in fills(collection) if one["state"] == "done"], "the later gap")
    dead, living, *others = jobs(collection)
    assert dead["reason"] == "ForceDisconnect"
    assert others[0]["opened_mono"] < (living["closed_mono"] or math.inf), "two at a time"
    assert later["posts"] > 0
    collection.wait_log("a dead worker's connection ended at X", "ended=")
    wait_filled(collection)
    wait_for(lambda: due(collection) <= set(delivered(collection)), "every post")
    assert set(Counter(delivered(collection)).values()) == {1}


def jobs(collection: Collection) -> list[Json]:
    """The recoveries that there ever were at X."""
    return [one for one in collection.sandbox.v2.connections() if one["recovery"]]
