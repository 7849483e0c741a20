"""Gaps filled by X's full-archive search: every post of a gap comes once, at X's price, whoever is killed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from signal import SIGHUP, SIGKILL, SIGSTOP

import pytest
from support.collection import Collection, Json, Key
from support.v2 import SANDBOX, on_v2
from support.waiting import wait_for

Make = Callable[..., Collection]

SEARCHED = (*SANDBOX, "--v2-rate", "0", "--v2-search-lag", "0")
WORDS = ["storm", "flood warning", "#hail"]
USERS = [str(10_000 + number) for number in range(40)]


def filling(make_collection: Make, **twitter: object) -> Collection:
    """A collection that streams, and fills its gaps soon after."""
    collection = make_collection(Key("app"), sandbox=SEARCHED)
    collection.options["traptor"] = {"expand": "all"}
    on_v2(
        collection,
        **{"fill_gaps": "search", "fill_after": "2s", **twitter},
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


def wait_filled(collection: Collection) -> Json:
    """Wait until all gaps are filled, and return the last."""
    return wait_for(
        lambda: (found := fills(collection)) and all(one["state"] == "done" for one in found) and found[-1],
        f"the gap is filled: {fills(collection)}",
    )


def due(collection: Collection) -> set[str]:
    """The posts that filters matched, but for the reposts that a search for words does not find."""
    forms = {tweet["id"]: tweet["form"] for tweet in collection.sandbox.tweets()}
    unread = [one for one in collection.sandbox.v2.matches() if not one["connections"]]
    lost = {one["id"] for one in unread if forms[one["id"]] == "track:in_retweeted"}
    return {one["id"] for one in collection.sandbox.v2.matches()} - lost


def billed(collection: Collection) -> float:
    return float(sum(day["dollars"] for day in collection.sandbox.v2.bill()))


def counted(collection: Collection) -> float:
    return float(collection.status()["apps"][0]["today"]["dollars"])


def test_every_post_of_a_gap_comes_once_and_costs_what_x_says(make_collection: Make) -> None:
    collection = filling(make_collection)
    part(collection, 300)
    collection.sandbox.burst(100, [*WORDS, *USERS])
    fill = wait_filled(collection)
    wait_for(lambda: due(collection) <= set(ids(collection)), "every post")
    assert set(Counter(ids(collection)).values()) == {1}
    by_search = [post for post in collection.messages("v2:app") if "filled" in post["traptor"]["collection"]]
    assert len(by_search) == fill["posts"] > 200
    assert {post["traptor"]["collection"]["filled"] for post in by_search} == {"search"}
    assert all(post["traptor"]["collection_rules"] for post in by_search)
    wait_for(lambda: abs(billed(collection) - counted(collection)) < 0.001, "our count is X's bill")
    collection.wait_log("a gap is being filled", "queries=")
    collection.wait_log("a gap is filled", f"posts={fill['posts']}")
    assert f"{fill['posts']} posts, ${fill['dollars']:.2f}" in collection.ctl("gaps").stdout


def ids(collection: Collection) -> list[str]:
    return [post["data"]["id"] for post in collection.messages("v2:app")]


def stop_before_it_hears_of_a_piece(collection: Collection) -> None:
    """Stop the supervisor while its worker fetches the first piece, until that is delivered."""
    x = collection.sandbox.v2
    x.fault("slow_start", endpoint="search_all", after=2, times=1)
    wait_for(lambda: not x.faults()["faults"], "a slow search")
    collection.signal(SIGSTOP)
    line = collection.wait_log("piece of a gap fetched", name="v2:app")
    assert "new=0" not in line


@pytest.mark.long
def test_kill_9_of_worker_and_master_in_the_middle_of_a_fill_loses_and_doubles_nothing(
    make_collection: Make,
) -> None:
    collection = filling(make_collection, fill_daily_dollars=100, fill_after="4s")
    part(collection, 300)
    stop_before_it_hears_of_a_piece(collection)
    left = collection.children()
    collection.signal(SIGKILL)
    assert collection.process is not None
    collection.process.wait()
    wait_for(lambda: not any(child.is_running() for child in left), "the workers are gone")
    collection.sandbox.burst(50, [*WORDS, *USERS])
    new = collection.start()
    for _ in range(10):  # some of them before the new master knows the rules
        collection.sandbox.burst(10, [*WORDS, *USERS])
    wait_for(lambda: collection.status().get("pid") == new.pid, "a new master")
    collection.wait_streaming("v2:app")
    collection.wait_log("gen=9", "piece of a gap fetched", name="v2:app")
    pid = collection.streaming()["v2:app"]
    os.kill(pid, SIGKILL)
    collection.wait_new_pid("v2:app", pid)
    collection.sandbox.burst(50, [*WORDS, *USERS])
    wait_for(lambda: due(collection) <= set(ids(collection)), "every post")
    wait_filled(collection)
    assert set(Counter(ids(collection)).values()) == {1}
    wait_for(lambda: abs(billed(collection) - counted(collection)) < 0.001, "our count is X's bill")
    fetched = [post for post in collection.messages("v2:app") if "filled" in post["traptor"]["collection"]]
    wait_for(lambda: collection.status()["fills"]["posts"] == len(fetched), "the ledger's count of them")
    left_by_them = collection.folder / "state" / "fillreads" / "v2:app"
    wait_for(lambda: not {"1", "9"} & {one.name for one in left_by_them.iterdir()}, "it is booked")


@pytest.mark.long
def test_refusals_and_a_cap_in_the_middle_delay_a_fill_and_cost_no_more(make_collection: Make) -> None:
    collection = filling(make_collection, fill_daily_dollars=2)
    x = collection.sandbox.v2
    x.fault("status", endpoint="search_all", status=503, times=1)
    x.fault("status", endpoint="search_all", problem="rate-limit-exceeded", retry_after=1, times=1)
    before = billed(collection)
    part(collection, 300)
    collection.wait_log("gaps wait for money", "fill_daily_dollars is used up")
    assert billed(collection) - before <= 2
    asked = [one["status"] for one in x.requests("search_all")]
    assert asked[:2] == [503, 429]
    assert set(asked[2:]) == {200}
    assert fills(collection)[-1]["state"] == "running"
    on_v2(collection, fill_daily_dollars=50)
    collection.write_ini()
    collection.signal(SIGHUP)
    fill = wait_filled(collection)
    wait_for(lambda: due(collection) <= set(ids(collection)), "every post")
    assert set(Counter(ids(collection)).values()) == {1}
    wait_for(lambda: abs(billed(collection) - counted(collection)) < 0.001, "our count is X's bill")
    assert fill["dollars"] == pytest.approx(billed(collection) - before, abs=0.001)
